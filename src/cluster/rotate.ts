import { EVENTS, newestHead } from "../audit/events.ts";
import { Secret } from "../core/secret.ts";
import { keepCopy } from "../secret/automatic_copy.ts";
import type { Changed, RotateOptions } from "../secret/backend.ts";
import { refuseOneTooMany } from "../secret/grace.ts";
import { alreadyDone } from "../secret/rotate.ts";
import { notInitialised } from "../secret/view.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { changeShared, type SharedChange } from "./change.ts";
import { newVersion, provenValue } from "./new_version.ts";
import {
  type FleetState,
  MOST_SHARED_WINDOWS,
  nextNumber,
  rowOf,
  type SharedVersion,
  succeeded,
} from "./state.ts";

/**
 * Replaces the shared secret in one etcd transaction. Of two machines that rotate at once, one is first; the other
 * decides again whether a rotation is still due. Call it under the lock, after recovery.
 *
 * @throws {RekeyError} as {@linkcode changeShared} does; the old secret is then still current, unless the message says
 * that this is not known.
 */
export async function rotateShared(
  installation: Installation,
  options: RotateOptions,
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
    const secret = Secret.generate();
    const about = { reason, request_id: requestId, replaces: old.version };
    const row = newVersion(installation, nextNumber(state), secret, about, options);
    await logVersion(installation, EVENTS.rotationInitiated, row, reason ?? undefined);
    onStep?.("begin");
    const sealed = await provenValue(installation, row, secret, onStep);
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
