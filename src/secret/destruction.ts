import { rmSync } from "node:fs";
import type { Installation } from "../store/installation.ts";
import { currentSlot, numberedSlot } from "../store/secret_store.ts";

/**
 * Deletes everything that rekey keeps of an app: values in the keyring, rows in the database, the key
 * file that it made. An application's own tables in the same file stay. Call it under the lock.
 */
export async function destroy(installation: Installation): Promise<void> {
  await clearKeyring(installation);
  const keyFile = installation.generatedKeyFile();
  clearDatabase(installation);
  if (keyFile !== undefined) rmSync(keyFile, { force: true });
}

async function clearKeyring({ keyring, versions }: Installation): Promise<void> {
  const kept = versions.every().filter((row) => row.location === "keyring" || row.synced === 0);
  for (const row of kept.filter((row) => row.state !== "retired" || row.synced === 0)) {
    await keyring.remove(numberedSlot(row));
    if (row.state !== "previous") await keyring.remove(currentSlot(row));
  }
}

function clearDatabase({ database, sealed, versions }: Installation): void {
  const { path } = database;
  database.transaction(() => {
    for (const row of versions.every()) sealed.drop(numberedSlot(row));
    for (const row of versions.every()) sealed.drop(currentSlot(row));
    database.dropTables(OWN_TABLES.filter((name) => database.tables().includes(name)));
  });
  const shared = database.tables().some((name) => name !== "settings") || sealed.otherSettings();
  if (shared) {
    database.wipeFreePages();
    database.truncateLog();
  }
  database.close();
  if (!shared) {
    for (const end of ["", "-wal", "-shm", ".lock"]) rmSync(path + end, { force: true });
  }
}

// Children first: sessions refer to versions.
const OWN_TABLES = [
  "rekey_sessions",
  "rekey_audit_counts",
  "rekey_audit",
  "rekey_versions",
  "rekey_meta",
];
