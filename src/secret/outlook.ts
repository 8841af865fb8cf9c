import { currentSlot, type Location } from "../core/secret_store.ts";
import { Database } from "../store/sqlite/database.ts";
import type { Installation, StoreChoice } from "../store/installation.ts";
import { exclusively } from "../store/sqlite/lock.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { Backend } from "./backend.ts";
import { alreadyDone, type RotateOptions } from "./rotation.ts";

const WAIT_MS = 1_000;

/**
 * Looks whether a rotation could be made now: the KEK, which the audit log takes too; the database; and the keyring,
 * when the next version would live there. Nothing is changed, and no keyring is unlocked. (What machines share is
 * asked for by each command as it begins.)
 *
 * @param wanted where the operator wants the next version.
 * @throws {RekeyError} what the rotation would throw: `kek_…`, `keyring_…`, `database_…`.
 */
export async function mustBeAbleToRotate(
  installation: Installation,
  wanted: StoreChoice | undefined,
): Promise<void> {
  const { versions, keyring, store, database } = installation;
  const current = versions.current();
  if (current === undefined) return;
  await installation.kek();
  Database.tryToWrite(database.path, WAIT_MS);
  const choice = wanted ?? store;
  const inKeyring = current.location === "keyring" && choice === "auto";
  if (inKeyring || choice === "keyring") await keyring.mustBeReady(currentSlot(current));
}

export type RotationPlanOptions = Pick<RotateOptions, "store" | "ifOlderThanMs" | "requestId">;

/** What a rotation would do. */
export interface RotationPlan {
  readonly current: Version;
  /** Where the next version would live. */
  readonly location: Location;
  /** Whether nothing is to be done. */
  readonly done: boolean;
}

/** What `rotate` would do, without doing it. It takes the lock: finding out whether a keyring works may write to it. */
export function planRotation(
  installation: Installation,
  backend: Backend,
  current: Version,
  options: RotationPlanOptions,
): Promise<RotationPlan> {
  const done = alreadyDone(installation, current, options) !== undefined;
  return exclusively(installation.lockPath, async () => {
    const location = await backend.nextLocation(installation, options.store);
    return { current, location, done };
  });
}
