import { rmSync } from "node:fs";
import { isRekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import { KEYRING_UNAVAILABLE } from "../store/keyring_errors.ts";
import type { KeyringStore } from "../store/keyring_store.ts";
import { numberedSlot } from "../store/secret_store.ts";

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

/** Deletes the entry of an older installation that was never adopted; answers whether there was one. */
export async function destroyUnadopted(keyring: KeyringStore): Promise<boolean> {
  try {
    return await keyring.removePublished();
  } catch (error) {
    if (isRekeyError(error, "keyring_absent")) return false;
    throw error;
  }
}

async function clearKeyring({ keyring, versions }: Installation): Promise<void> {
  const rows = versions.every().filter((row) => row.location === "keyring");
  const kept = rows.filter((row) => row.state !== "retired" || row.synced === 0);
  try {
    for (const row of kept) await keyring.remove(numberedSlot(row));
    await keyring.removePublished();
  } catch (error) {
    // Without anything of ours in it, a keyring that cannot be used is no reason to keep the rest.
    if (kept.length > 0 || !isRekeyError(error, ...KEYRING_UNAVAILABLE)) throw error;
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
  "rekey_audit",
  "rekey_versions",
  "rekey_meta",
];
