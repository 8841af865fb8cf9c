import { dirname } from "node:path";
import { closing } from "../core/closing.ts";
import { asRefusal, isRekeyError, RekeyError } from "../core/errors.ts";
import { OWN_TABLES } from "../store/sqlite/schema.ts";
import { Installation } from "../store/installation.ts";
import { removeMigrationCopies } from "../store/sqlite/migration_copy.ts";
import { mustBeAlone } from "../store/sqlite/lock.ts";
import { wipeFreePages } from "../store/sqlite/scrub.ts";
import { exclusively } from "../store/sqlite/turn.ts";
import { dropTables, emptyTables, tableNames } from "../store/sqlite/tables.ts";
import { KEYRING_UNAVAILABLE } from "../store/keyring/codes.ts";
import { removeFile } from "../files/files.ts";
import { currentSlot, numberedSlot } from "../core/location.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { automaticCopies } from "./automatic_copy.ts";
import { holdersOf, type StaleHolder } from "./holders.ts";
import { openAsIs } from "./leftovers.ts";
import { copiesOfLost } from "./lost_database.ts";
import type { Environment } from "../store/environment.ts";
import { removeUnfinished } from "../store/backup_file.ts";
import { ownNote } from "./keyring/reconcile.ts";
import type { SecretView } from "./view.ts";
import { SYSTEM } from "../system/system.ts";

/**
 * Deletes everything that rekey keeps of an app: values in the keyring, rows in the database, the key
 * file that it made. An application's own tables in the same file stay. Call it under the lock.
 */
export async function destroy(installation: Installation): Promise<void> {
  const { database, keyring, meta } = installation;
  const rows = inKeyring(installation);
  // If the keyring cannot be used, this throws before anything changes.
  if (rows[0] !== undefined) await keyring.reach(currentSlot(rows[0]));
  if (!SYSTEM.files.canMoveOpenFiles && !hasOtherTables(installation)) {
    mustBeAlone(database, meta.get("destroying") && "Its destruction was begun");
  }
  // From here on, any command that finds this row finishes the destruction.
  database.transaction(() => meta.set("destroying", "yes"));
  await clearKeyring(installation, rows);
  // The key file before the database, which has its name; a second attempt needs no key.
  const keyFile = installation.generatedKeyFile();
  if (keyFile !== undefined) removeFile(keyFile);
  removeUnfinished(dirname(database.path));
  for (const copy of automaticCopies(database.path)) removeFile(copy);
  removeMigrationCopies(database.path);
  clearDatabase(installation);
}

/** The running programs that `exec` has given a secret. Once it is destroyed, nothing knows of them any more. */
export function holdersLeft(environment: Environment): StaleHolder[] {
  try {
    const found = Installation.openAsFound(environment);
    if (found === undefined) return [];
    return closing({ [Symbol.dispose]: () => found.close() }, () => holdersOf(found))
      .map((holder) => ({ ...holder, state: "ended", until: null }));
  } catch (error) {
    // A database that cannot be read can be destroyed all the same.
    asRefusal(error);
    return [];
  }
}

/**
 * Destroys an app's secret, or the copies of a database that is gone. The view then has no database.
 *
 * @returns whether anything existed.
 */
export async function destroyIfThere(view: SecretView): Promise<boolean> {
  const { environment } = view;
  const installation = openAsIs(view);
  if (installation === undefined) {
    // A restoration may be at work.
    return await exclusively(
      Installation.prepareFolder(environment),
      async () => await Promise.resolve(openAsIs(view) === undefined && destroyCopies(environment)),
    );
  }
  const wasBegun = installation.meta.get("destroying") !== undefined;
  if (!wasBegun && installation.versions.every().length === 0) return false;
  await exclusively(installation.lockPath, () => destroy(installation));
  view.use(undefined);
  return true;
}

// Returns whether there were any.
function destroyCopies(environment: Environment): boolean {
  const path = Installation.path(environment);
  const copies = copiesOfLost(environment);
  for (const copy of copies) removeFile(copy);
  if (copies.length > 0) removeMigrationCopies(path);
  return copies.length > 0;
}

/**
 * The installation; `undefined` if its destruction had begun, which is then finished.
 *
 * @throws {RekeyError} a `keyring_…` code when it cannot be finished now.
 */
export async function unlessDestroyed(
  installation: Installation | undefined,
): Promise<Installation | undefined> {
  if (installation?.meta.get("destroying") === undefined) return installation;
  await exclusively(installation.lockPath, () => destroy(installation));
  return undefined;
}

// Versions that the keyring holds or may hold.
function inKeyring({ versions }: Installation): Version[] {
  return versions.every().filter(({ location, state, synced }) =>
    synced === 0 || (location === "keyring" && state !== "retired")
  );
}

async function clearKeyring(installation: Installation, rows: Version[]): Promise<void> {
  const { keyring } = installation;
  try {
    for (const row of rows) {
      await keyring.remove(numberedSlot(row));
      // The entry may belong to another installation or program.
      if (await keyring.holds(currentSlot(row), row.kid)) await keyring.remove(currentSlot(row));
    }
    if (installation.meta.get("note") !== undefined && await ownNote(installation) !== null) {
      await keyring.removeNote();
    }
    if (keyring.hasChanged) await keyring.settle();
  } catch (error) {
    // Only the note would stay, and it is not secret.
    if (rows.length === 0 && isRekeyError(error, ...KEYRING_UNAVAILABLE)) return;
    if (!isRekeyError(error)) throw error;
    throw new RekeyError(
      error.code,
      `The destruction was begun and not finished: ${error.message}`,
      {
        hint: `${error.hint ?? ""}; the next command that reaches the keyring finishes it`
          .replace(/^; /, ""),
        cause: error,
      },
    );
  }
}

// An application may keep tables of its own in the file, which then stays.
function hasOtherTables({ database }: Installation): boolean {
  const own: readonly string[] = [...OWN_TABLES, "settings"];
  return tableNames(database).some((name) => !own.includes(name));
}

function clearDatabase(installation: Installation): void {
  const { database, meta, sealed } = installation;
  const { path } = database;
  const tables = OWN_TABLES.filter((name) => tableNames(database).includes(name));
  const shared = database.transaction(() => {
    sealed.dropAll();
    const shared = hasOtherTables(installation) || sealed.otherSettings();
    if (shared) dropTables(database, tables);
    else {
      emptyTables(database, tables);
      // If the file cannot be deleted, a later command still finds the row.
      meta.set("destroying", "yes");
    }
    return shared;
  });
  if (shared) {
    wipeFreePages(database);
    database.truncateLog();
  }
  database.close();
  if (!shared) removeDatabase(path);
}

// The lock file stays: a waiting process must not get a lock on a deleted file.
function removeDatabase(path: string): void {
  try {
    for (const end of ["", "-wal", "-shm"]) removeFile(path + end);
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    throw new RekeyError(error.code, `The secret is gone, its file is not: ${error.message}`, {
      hint: "End the programs that have it open, such as `rekey serve`, or see to the rights on " +
        "its folder; then `rekey destroy` again deletes it",
      cause: error,
    });
  }
}
