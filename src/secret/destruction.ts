import { rmSync } from "node:fs";
import type { Installation } from "../store/installation.ts";
import { exclusively } from "../store/lock.ts";
import { currentSlot, numberedSlot } from "../store/secret_store.ts";
import { holds } from "./reconcile.ts";

/**
 * Deletes everything that rekey keeps of an app: values in the keyring, rows in the database, the key
 * file that it made. An application's own tables in the same file stay. Call it under the lock.
 */
export async function destroy(installation: Installation): Promise<void> {
  const { database, meta } = installation;
  // From here on there is no way back: a command that finds this finishes it.
  database.transaction(() => meta.set("destroying", "yes"));
  await clearKeyring(installation);
  // The key file first: the database knows its name, and a second attempt needs no key.
  const keyFile = installation.generatedKeyFile();
  if (keyFile !== undefined) rmSync(keyFile, { force: true });
  clearDatabase(installation);
}

/**
 * The installation, unless its destruction was begun: then that is finished, and there is none.
 *
 * @throws {RekeyError} a `keyring_…` code when it cannot be finished now.
 */
export async function unlessDestroyed(
  installation: Installation | undefined,
  lockTimeoutMs: number,
): Promise<Installation | undefined> {
  if (installation?.meta.get("destroying") === undefined) return installation;
  await exclusively(installation.lockPath, lockTimeoutMs, () => destroy(installation));
  return undefined;
}

async function clearKeyring({ keyring, versions }: Installation): Promise<void> {
  const rows = versions.every().filter((row) => row.location === "keyring");
  const kept = rows.filter((row) => row.state !== "retired" || row.synced === 0);
  for (const row of kept) {
    await keyring.remove(numberedSlot(row));
    // The account may hold what another installation or program has put there.
    if (await holds(keyring, currentSlot(row), row)) await keyring.remove(currentSlot(row));
  }
}

function clearDatabase({ database, sealed }: Installation): void {
  const { path } = database;
  database.transaction(() => {
    sealed.dropAll();
    database.dropTables(OWN_TABLES.filter((name) => database.tables().includes(name)));
  });
  const shared = database.tables().some((name) => name !== "settings") || sealed.otherSettings();
  if (shared) {
    database.wipeFreePages();
    database.truncateLog();
  }
  database.close();
  // The lock stays: who waits for it must not come to hold one that nobody else can see.
  if (!shared) { for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true }); }
}

// Children first: sessions refer to versions.
const OWN_TABLES = [
  "rekey_sessions",
  "rekey_audit_counts",
  "rekey_verifications",
  "rekey_audit",
  "rekey_versions",
  "rekey_meta",
];
