import { EVENTS, newestHead } from "../audit/events.ts";
import type { Secret } from "../core/secret.ts";
import { keepCopy } from "../secret/automatic_copy.ts";
import type { Changed, RotationOrder, RotationStep } from "../secret/backend.ts";
import { newSecret, nextUse, probe, type Use } from "../secret/next_use.ts";
import { refuseOneTooMany } from "../secret/grace.ts";
import { alreadyDone } from "../secret/rotate.ts";
import { notInitialised } from "../secret/view.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { changeShared, type SharedChange } from "./change.ts";
import {
  type FleetState,
  MOST_SHARED_WINDOWS,
  nextNumber,
  randomId,
  rowOf,
  type SharedVersion,
  succeeded,
} from "./state.ts";
import { isRekeyError } from "../core/errors.ts";
import { currentSlot } from "../core/location.ts";

/**
 * Replaces the shared secret in one etcd transaction. Of two machines that rotate at once, one is first; the other
 * decides again whether a rotation is still due. Call it under the lock, after recovery.
 *
 * @throws {RekeyError} as {@linkcode changeShared} does; the old secret is then still current, unless the message says
 * that this is not known.
 */
export async function rotateShared(
  installation: Installation,
  options: RotationOrder,
): Promise<Changed> {
  const { graceMs = 0, backup = true, onStep } = options;
  let copied = !backup;
  return await changeShared<Changed>(installation, async ({ state }) => {
    await options.permit?.();
    const old = installation.versions.current();
    if (old === undefined) throw notInitialised(installation.environment.app.name);
    const done = alreadyDone(installation, old, options);
    if (done !== undefined) return { unchanged: done };
    if (graceMs > 0) refuseOneTooMany(installation, MOST_SHARED_WINDOWS);
    if (!copied) await keepCopy(installation, old);
    copied = true;
    const { row, sealed } = await successor(installation, state, old, options);
    const change = succession(installation, state, row, old, graceMs);
    return {
      ...change,
      added: new Map([[row.kid, sealed]]),
      onCommit: () => onStep?.("commit"),
      onConflict: () =>
        logVersion(installation, EVENTS.rotationRecovered, row, "another machine was first"),
      result(followed) {
        onStep?.("publish");
        return change.result(followed);
      },
    };
  }, options.lockTimeoutMs);
}

/** Makes the next version, up to its commit. @returns its row and sealed value. */
async function successor(
  installation: Installation,
  state: FleetState,
  old: Version,
  options: RotationOrder,
): Promise<{ row: SharedVersion; sealed: string }> {
  const { reason = null, requestId = null, makeValue = newSecret, onStep } = options;
  const use = nextUse(installation, options);
  const secret = await makeValue(use);
  const about = { reason, request_id: requestId, replaces: old.version };
  const row = newVersion(installation, nextNumber(state), secret, about, use);
  await logVersion(installation, EVENTS.rotationInitiated, row, reason ?? undefined);
  onStep?.("begin");
  const sealed = await provenValue(installation, row, secret, onStep);
  await beforeCommit(installation, row, secret, options);
  return { row, sealed };
}

async function beforeCommit(
  installation: Installation,
  row: SharedVersion,
  secret: Secret,
  options: RotationOrder,
): Promise<void> {
  try {
    await options.beforeCommit?.(rowOf(row), secret);
  } catch (error) {
    const reason = isRekeyError(error) ? error.code : "failed";
    await logVersion(installation, EVENTS.rotationRecovered, row, reason);
    throw error;
  }
}

/** The change that makes `row` the current version. */
export function succession(
  installation: Installation,
  state: FleetState,
  row: SharedVersion,
  previous: Version | undefined,
  graceMs: number,
): SharedChange<Changed> {
  const now = installation.now();
  const graceUntil = graceMs > 0 ? now + graceMs : null;
  const activation = randomId();
  return {
    state: succeeded(state, row, { now, graceUntil, activation }),
    activation,
    result: (published) => ({
      rotated: true,
      version: installation.versions.byKid(row.kid) ?? rowOf({ ...row, state: "current" }),
      previous,
      graceUntil,
      published,
      logWhole: true,
      head: newestHead(installation.database),
    }),
  };
}

/** Writes an audit row about a shared version. */
export async function logVersion(
  installation: Installation,
  event: typeof EVENTS.rotationInitiated | typeof EVENTS.rotationRecovered,
  { version, kid }: SharedVersion,
  reason: string | undefined,
): Promise<void> {
  const audit = await installation.audit();
  installation.database.transaction(() =>
    audit.append({ event, version, kid, location: "etcd", reason })
  );
}

/** A pending version for the shared state. */
export function newVersion(
  { environment }: Installation,
  version: number,
  { kid }: Secret,
  more: Pick<SharedVersion, "reason" | "request_id" | "replaces">,
  { alg, keyForm: key_form, bytes, encoding }: Use,
): SharedVersion {
  return {
    version,
    kid,
    state: "pending",
    origin: "generated",
    ...{ alg, key_form, bytes, encoding },
    token_kid: null,
    published_at: null,
    activatable_at: null,
    created_at: environment.clock(),
    activated_at: null,
    retired_at: null,
    grace_until: null,
    ...more,
    by: environment.actor,
  };
}

/** Seals a value, opens it as other machines will, and checks that it signs. @returns the sealed value. */
export async function provenValue(
  installation: Installation,
  row: SharedVersion,
  secret: Secret,
  onStep: (step: RotationStep) => void = () => {},
): Promise<string> {
  const store = await installation.shared();
  const sealed = await store.seal(currentSlot(row), secret);
  const opened = await store.open(currentSlot(row), sealed);
  onStep("write");
  await probe(opened, row);
  onStep("probe");
  return sealed;
}
