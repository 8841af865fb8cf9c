import { closing } from "../../core/closing.ts";
import { isRekeyError, RekeyError } from "../../core/errors.ts";
import type { Database } from "./database.ts";
import { DatabaseSync } from "node:sqlite";
import { isThere, mustBeRegular } from "../../files/files.ts";
import { makePrivateFile } from "../../files/private_files.ts";
import { explainSqlite, FULL_SYNC } from "./node_sqlite.ts";

/**
 * Checks that no other program has a database open, before its file is deleted on a system that cannot delete open
 * files. SQLite leaves WAL mode only for the sole connection; the next one that opens the file restores it.
 *
 * @param what the state of the secret so far, for the hint.
 * @throws {RekeyError} `database_unusable` when another program has it open.
 */
export function mustBeAlone(database: Database, what = "Nothing was changed"): void {
  try {
    database.prepare("PRAGMA journal_mode = DELETE").get();
  } catch (error) {
    if (!isRekeyError(error, "busy")) throw error;
    throw new RekeyError(
      "database_unusable",
      `Cannot delete ${database.path}: another program has it open`,
      {
        hint:
          `${what}. End the programs that have it open, such as \`rekey serve\`, and repeat the command`,
        cause: error,
      },
    );
  }
}

/**
 * Checks that this user can write a database now, and changes nothing in it.
 *
 * @param waitMs how long to wait for a program that keeps a transaction open, in milliseconds.
 * @throws {RekeyError} `busy` when one does so for longer, `database_unusable` when the file cannot be written.
 */
export function mustBeWritable(path: string, waitMs: number): void {
  if (!isThere(path)) return;
  mustBeRegular(path);
  explainSqlite(path, () => {
    const probe = `PRAGMA busy_timeout = ${waitMs}; ${FULL_SYNC}; BEGIN IMMEDIATE; ROLLBACK`;
    closing(new DatabaseSync(path), (sqlite) => sqlite.exec(probe));
  });
}

// SQLite treats a longer timeout as none.
const LONGEST_WAIT_MS = 2 ** 31 - 1;

/** Path of a database's lock file. */
export function lockPath(databasePath: string): string {
  return `${databasePath}.lock`;
}

/**
 * Takes an SQLite lock on an empty file until it is disposed: the system releases it when the process ends.
 *
 * @param waitMs how long to wait for another holder, in milliseconds; SQLite blocks the thread meanwhile.
 * @throws {RekeyError} `busy` when it is not free in time.
 */
export function takeLock(path: string, waitMs: number): Disposable {
  makePrivateFile(path);
  return openLock(path, waitMs);
}

/** As {@linkcode takeLock}, on a file that is there, whose mode stays as it is. */
export function openLock(path: string, waitMs: number): Disposable {
  const lock = explainSqlite(path, () => new DatabaseSync(path));
  try {
    begin(lock, path, waitMs);
  } catch (error) {
    lock.close();
    throw error;
  }
  return { [Symbol.dispose]: () => lock.close() };
}

function begin(lock: DatabaseSync, path: string, waitMs: number): void {
  try {
    explainSqlite(path, () => {
      // The timeout comes first: setting the journal mode reads the file, which may wait too.
      const wait = Math.min(waitMs, LONGEST_WAIT_MS);
      lock.exec(`PRAGMA busy_timeout = ${wait}; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE`);
    });
  } catch (error) {
    if (!isRekeyError(error, "busy")) throw error;
    throw new RekeyError(
      "busy",
      "Cannot start: another rekey is rotating, recovering or migrating",
      {
        hint:
          "Wait for it to end and run the command again. `rotate --lock-timeout` waits longer for a " +
          "rotation; a migration by a newer rekey takes 15 s for a million sessions",
      },
    );
  }
}
