import { EVENTS, newestHead } from "../audit/events.ts";
import type { Secret } from "../core/secret.ts";
import { keepCopy } from "../secret/automatic_copy.ts";
import type {
  Activation,
  Changed,
  Member,
  NewSecret,
  RotationOrder,
  RotationStep,
} from "../secret/backend.ts";
import { newSecret, nextUse, type Use } from "../secret/next_use.ts";
import { refuseOneTooMany } from "../secret/grace.ts";
import { alreadyDone, probe } from "../secret/rotate.ts";
import { notInitialised } from "../secret/view.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { type BaseRevision, changeShared, mustBeFollowed, type SharedChange } from "./change.ts";
import {
  type FleetState,
  MOST_SHARED_WINDOWS,
  nextNumber,
  preparedOf,
  rowOf,
  type SharedVersion,
  succeeded,
} from "./state.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { listMembers, namesOf } from "./members.ts";
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
  const { reason = null, graceMs = 0, requestId = null, backup = true, onStep } = options;
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
    const use = nextUse(installation, options);
    const secret = newSecret(use);
    const about = { reason, request_id: requestId, replaces: old.version };
    const row = newVersion(installation, nextNumber(state), secret, about, use);
    await logVersion(installation, EVENTS.rotationInitiated, row, reason ?? undefined);
    onStep?.("begin");
    const sealed = await provenValue(installation, row, secret, onStep);
    await beforeCommit(installation, row, secret, options);
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
function succession(
  installation: Installation,
  state: FleetState,
  row: SharedVersion,
  previous: Version | undefined,
  graceMs: number,
): SharedChange<Changed> {
  const now = installation.now();
  const graceUntil = graceMs > 0 ? now + graceMs : null;
  return {
    state: succeeded(state, row, graceUntil, now),
    activates: row.kid,
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
async function logVersion(
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

// Rotation in two phases: every server has the next version before any token is signed with it.

interface Prepared {
  readonly version: Version;
  /** Whether this call made it. */
  readonly made: boolean;
}

/** Publishes the next version, unless one is prepared. Call it under the lock, after recovery. */
export async function prepareShared(
  installation: Installation,
  reason: string | null,
  usage: NewSecret,
): Promise<Prepared> {
  return await changeShared<Prepared>(installation, async ({ state }) => {
    const prepared = preparedOf(state);
    if (prepared !== undefined) return { unchanged: { version: rowOf(prepared), made: false } };
    const use = nextUse(installation, usage);
    const secret = newSecret(use);
    const replaces = installation.versions.current()?.version ?? null;
    const about = { reason, request_id: null, replaces };
    const row = newVersion(installation, nextNumber(state), secret, about, use);
    return {
      state: { ...state, versions: [...state.versions, row] },
      added: new Map([[row.kid, await provenValue(installation, row, secret)]]),
      async result(followed) {
        mustBeFollowed(followed);
        await logVersion(installation, EVENTS.rotationInitiated, row, reason ?? undefined);
        return { version: rowOf(row), made: true };
      },
    };
  });
}

/** Makes the prepared version the current one. Call it under the lock, after recovery. */
export async function activateShared(
  installation: Installation,
  { graceMs = 0, force = false, backup = true }: Activation,
): Promise<Changed> {
  let copied = !backup;
  return await changeShared(installation, async (base) => {
    const row = preparedOf(base.state);
    if (row === undefined) throw nothingPrepared();
    if (!hasValue(base, row)) throw lostValue(row);
    if (graceMs > 0) refuseOneTooMany(installation, MOST_SHARED_WINDOWS);
    const members = await listMembers(installation);
    const unconfirmed = members.filter(({ prepared }) => prepared !== row.kid);
    if (unconfirmed.length > 0 && !force) throw notConfirmed(unconfirmed);
    const old = installation.versions.current();
    if (!copied && old !== undefined) await keepCopy(installation, old);
    copied = true;
    if (unconfirmed.length > 0) {
      const reason = `forced; not confirmed by ${namesOf(unconfirmed)}`;
      await logVersion(installation, EVENTS.rotationInitiated, row, reason);
    }
    return succession(installation, base.state, row, old, graceMs);
  });
}

// Servers may have confirmed a value that etcd has lost since: after the activation they would have none.
function hasValue({ snapshot, added }: BaseRevision, { kid }: SharedVersion): boolean {
  return snapshot?.values.has(kid) === true || added.has(kid);
}

function lostValue({ version }: SharedVersion): RekeyError {
  return new RekeyError(
    "secret_missing",
    `Cannot activate the prepared version ${version}: its value is lost`,
    {
      hint:
        "`rekey rotate --force` makes another one; a machine that has the value may activate it",
    },
  );
}

function nothingPrepared(): RekeyError {
  return new RekeyError("failed", "Cannot activate a version: none is prepared", {
    hint: "`rekey rotate --prepare` first",
  });
}

function notConfirmed(members: readonly Member[]): RekeyError {
  return new RekeyError(
    "check_failed",
    `Cannot activate the prepared version: not confirmed by ${namesOf(members)}`,
    { hint: "Wait, or see in `rekey status` what delays them; --force activates it anyway" },
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
  const store = installation.shared();
  const sealed = await store.seal(currentSlot(row), secret);
  const opened = await store.open(currentSlot(row), sealed);
  onStep("write");
  await probe(opened, row);
  onStep("probe");
  return sealed;
}
