import { EVENTS, newestHead } from "../audit/events.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { type Proposal, propose, retryOnConflict } from "./commit.ts";
import { follow } from "./replica.ts";
import type { Snapshot } from "./snapshot.ts";
import { nextNumber, retiring, rowOf, type SharedVersion } from "./state.ts";
import { type BaseRevision, baseRevisionOf } from "./base_revision.ts";
import type { Installation } from "../store/installation.ts";
import { scrub } from "../store/sqlite/write_ahead_log.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { notInitialised } from "../secret/view.ts";
import { keepCopy } from "../secret/automatic_copy.ts";
import type { HmacUsage } from "../secret/backend.ts";
import {
  alreadyDone,
  type Changed,
  refuseOneTooMany,
  type RotateOptions,
  type RotationStep,
} from "../secret/rotation.ts";
import { MOST_SHARED_WINDOWS, newVersion, provenValue, succeeded } from "./version.ts";

/**
 * Replaces the secret that machines share. Takes effect in one etcd transaction; of two machines only one can make it,
 * and the other one looks again whether there is still something to do. Call it under the lock, after recovery.
 *
 * @throws {RekeyError} `busy` when others were first for so long, `etcd_…` or `fleet_…` when etcd cannot be used; the
 * old secret is then still current, unless the error says that this is not known.
 */
export async function rotateShared(
  installation: Installation,
  options: RotateOptions,
): Promise<Changed> {
  let copied = options.backup === false;
  return await retryOnConflict(async () => {
    const base = await baseRevisionOf(installation);
    await options.permit?.();
    const old = installation.versions.current();
    if (old === undefined) throw notInitialised(installation.environment.app.name);
    const done = alreadyDone(installation, old, options);
    if (done !== undefined) return done;
    if ((options.graceMs ?? 0) > 0) refuseOneTooMany(installation, MOST_SHARED_WINDOWS);
    if (!copied) await keepCopy(installation, old);
    copied = true;
    return await tryOnce(installation, base, old, options);
  }, options.lockTimeoutMs);
}

/**
 * Ends every grace window of the fleet now.
 *
 * @returns the versions that no longer verify.
 * @throws {RekeyError} as {@linkcode rotateShared} does.
 */
export async function revokeShared(installation: Installation): Promise<Version[]> {
  const open = new Map<number, Version>();
  return await retryOnConflict(async () => {
    const { state: before, snapshot: base, added } = await baseRevisionOf(installation);
    for (const row of installation.versions.previous()) open.set(row.version, row);
    const now = installation.now();
    const ended = { by: installation.environment.actor, why: "revoked" };
    const state = retiring(before, now, (row) => row.state === "previous", ended);
    // What etcd holds may be older than this: then it is brought there all the same.
    if (state === before && before === base?.state) return [...open.values()];
    const next = { ...state, change: before.change + 1 };
    const snapshot = await propose(installation, { base, state: next, added });
    if (snapshot === undefined) return undefined;
    if (await followOwn(installation, snapshot)) return [...open.values()];
    throw notTakenOver();
  });
}

async function tryOnce(
  installation: Installation,
  base: BaseRevision,
  old: Version,
  { reason = null, graceMs = 0, requestId = null, onStep = () => {}, ...use }: Asked,
): Promise<Changed | undefined> {
  const secret = Secret.generate();
  const row = newVersion(installation, nextNumber(base.state), secret, {
    reason,
    request_id: requestId,
    replaces: old.version,
  }, use);
  await writeDown(installation, EVENTS.rotationInitiated, row, reason ?? undefined);
  onStep("begin");
  const sealed = await provenValue(installation, row, secret, onStep);
  const now = installation.now();
  const graceUntil = graceMs > 0 ? now + graceMs : null;
  const state = succeeded(base.state, row, graceUntil, now);
  const added = new Map([...base.added, [row.kid, sealed]]);
  const proposal = { base: base.snapshot, state, added };
  const published = await proposeOnce(installation, proposal, row.kid, onStep);
  if (published === undefined) {
    await writeDown(installation, EVENTS.rotationRecovered, row, "another machine was first");
    return undefined;
  }
  onStep("publish");
  const version = installation.versions.byKid(row.kid) ?? rowOf({ ...row, state: "current" });
  const head = newestHead(installation.database);
  return { rotated: true, version, previous: old, graceUntil, published, logWhole: true, head };
}

/**
 * Makes a version the current one, if nothing else has changed.
 *
 * @returns whether this machine has taken it over, or `undefined` when another machine was first.
 * @throws {RekeyError} as {@linkcode propose} does.
 */
export async function proposeOnce(
  installation: Installation,
  proposal: Proposal,
  kid: string,
  onCommit: (step: "commit") => void = () => {},
): Promise<boolean | undefined> {
  const snapshot = await propose(installation, proposal);
  if (snapshot !== undefined) {
    onCommit("commit");
    return await followOwn(installation, snapshot);
  }
  // An answer may have been lost, and the version been overtaken since: it was the current one all the same.
  const { state } = await baseRevisionOf(installation);
  const made = [...state.versions, ...state.retired].some((row) =>
    row.kid === kid && row.activated_at !== null
  );
  return made ? true : undefined;
}

interface Asked extends HmacUsage {
  readonly reason?: string | null | undefined;
  readonly requestId?: string | null | undefined;
  readonly graceMs?: number | undefined;
  readonly onStep?: ((step: RotationStep) => void) | undefined;
}

const TRIES = 2;

/**
 * Takes over here what this machine has done in etcd. May fail: the change stands, and every command looks whether this
 * is left to do.
 *
 * @returns whether it could.
 */
export async function followOwn(installation: Installation, snapshot: Snapshot): Promise<boolean> {
  for (let tries = 1;; tries++) {
    try {
      await follow(installation, snapshot, { belonged: true });
      scrub(installation);
      return true;
    } catch (error) {
      if (!isRekeyError(error)) throw error;
      if (tries === TRIES) return false;
    }
  }
}

/** Tells the log of a shared version. */
export async function writeDown(
  installation: Installation,
  event: typeof EVENTS.rotationInitiated | typeof EVENTS.rotationRecovered,
  { version, kid }: SharedVersion,
  reason: string | undefined,
) {
  const audit = await installation.audit();
  installation.database.transaction(() =>
    audit.append({ event, version, kid, location: "etcd", reason })
  );
}

/** Whether a rotation was made in etcd that this machine has not taken over. */
export function isNotFollowed({ published, version }: Changed): boolean {
  return !published && version.location === "etcd";
}

/** What was done in etcd stands, and a server on this machine may not know it yet. */
export function notTakenOver(): RekeyError {
  return new RekeyError(
    "check_failed",
    "It is done, and this machine could not take it over from etcd",
    {
      hint: "`rekey status` does it, or says why not; servers here accept nothing any more once " +
        "they have not followed for their --max-staleness",
    },
  );
}
