import { currentSlot } from "../core/secret_store.ts";
import { Database } from "../store/sqlite/database.ts";
import type { Installation, StoreChoice } from "../store/installation.ts";

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
