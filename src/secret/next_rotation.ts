import { currentSlot, type Location } from "../core/location.ts";
import { mustBeWritable } from "../store/sqlite/lock.ts";
import type { Installation } from "../store/installation.ts";
import type { StoreChoice } from "../store/environment.ts";
import { LOCK_TIMEOUT_MS } from "../core/limits.ts";
import { Turn } from "../store/sqlite/turn.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { NewSecret, OpenSecret, RotateOptions } from "./backend.ts";
import { longestValue, nextUse } from "./next_use.ts";
import { alreadyDone } from "./rotate.ts";
import { EVENTS } from "../audit/events.ts";
import { listAudit } from "../audit/reader.ts";
import { isAhead } from "./age.ts";
import { rfc3339 } from "../core/clock.ts";

const WAIT_MS = 1_000;

/**
 * Checks whether a rotation could be made now: the KEK, the database, and the keyring if the next version would live
 * there. Changes nothing and unlocks no keyring.
 *
 * @param wanted location that the operator chose for the next version.
 * @throws {RekeyError} the error of the rotation: `kek_…`, `keyring_…`, `database_…`.
 */
export async function mustBeAbleToRotate(
  installation: Installation,
  wanted: StoreChoice | undefined,
): Promise<void> {
  const { versions, keyring, store, database } = installation;
  const current = versions.current();
  if (current === undefined) return;
  await installation.kek();
  mustBeWritable(database.path, WAIT_MS);
  const choice = wanted ?? store;
  const inKeyring = current.location === "keyring" && choice === "auto";
  if (inKeyring || choice === "keyring") await keyring.mustBeReady(currentSlot(current));
}

/** What a rotation would do. */
export interface RotationPlan {
  readonly current: Version;
  /** Where the next version would live. */
  readonly location: Location;
  /** Whether no rotation is due. */
  readonly done: boolean;
}

/** What `rotate` would do. It takes the lock, since testing a keyring may write to it. */
export async function planRotation(
  { installation, backend, version: current }: OpenSecret,
  options: Pick<RotateOptions, "store" | "ifOlderThanMs" | "requestId" | keyof NewSecret>,
): Promise<RotationPlan> {
  const done = alreadyDone(installation, current, options) !== undefined;
  const length = longestValue(nextUse(installation, options));
  // An incident is planned too while programs follow a rotation.
  using _turn = Turn.overtake(installation.lockPath, LOCK_TIMEOUT_MS);
  const location = await backend.nextLocation(installation, options.store, length);
  return { current, location, done };
}

/** Announces the next rotation. @param at milliseconds since the epoch. */
export async function announce(
  installation: Installation,
  at: number,
  reason?: string,
): Promise<void> {
  const { database, meta } = installation;
  const audit = await installation.audit();
  database.transaction(() => {
    meta.set("announced", String(at));
    const why = reason === undefined ? "" : `: ${reason}`;
    audit.append({ event: EVENTS.rotationAnnounced, reason: `for ${rfc3339(at)}${why}` });
  });
}

/** Withdraws an announcement. @returns `false` when it is over or was replaced. */
export async function withdraw(
  installation: Installation,
  at: number,
  reason?: string,
): Promise<boolean> {
  const { database, meta } = installation;
  const audit = await installation.audit();
  return database.transaction(() => {
    if (meta.get("announced") !== String(at)) return false;
    meta.remove("announced");
    audit.append({ event: EVENTS.rotationCancelled, reason });
    return true;
  });
}

/** Announced time of the next rotation, milliseconds since the epoch; `null` for no announcement. */
export function announced(installation: Installation): number | null {
  const at = Number(installation.meta.get("announced") ?? NaN);
  const now = installation.now();
  // A time in the past means that the command that announced it was killed.
  return at > now && !wasAnnouncedLater(installation, now) ? at : null;
}

// Whether a clock that was ahead made the announcement.
function wasAnnouncedLater({ database }: Installation, now: number): boolean {
  const [row] = listAudit(database, 1, { is: EVENTS.rotationAnnounced });
  return row !== undefined && isAhead(Date.parse(row.time), now);
}
