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
