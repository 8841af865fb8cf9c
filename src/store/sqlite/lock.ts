import { isRekeyError, RekeyError } from "../../core/errors.ts";
import type { Database } from "./database.ts";
import { DatabaseSync } from "node:sqlite";
import { makePrivateFile } from "../../files/private_files.ts";
import { explainSqlite } from "./node_sqlite.ts";
import { LOCK_TIMEOUT_MS } from "../../core/limits.ts";

/**
 * Makes sure that no other program has a database open, before its file is taken away on a system where that cannot be
 * done with files that are open. SQLite leaves the mode with a write-ahead log for the only one that has it open; the
 * next one that opens it goes back to that mode.
 *
 * @param what what is so far known of the secret in it, for the hint.
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

// SQLite takes a longer time-out for none at all.
const LONGEST_WAIT_MS = 2 ** 31 - 1;

/** Path of the lock that goes with a database. */
export function lockPath(databasePath: string): string {
  return `${databasePath}.lock`;
}

/**
 * Runs `work` while no other process does: rotations and recoveries take turns. The lock is a lock on
 * an empty SQLite file, so the system lets go of it whenever the process ends, however it ends, and
 * SQLite does the waiting. Readers never take it.
 *
 * @param waitMs how long to wait for another holder, in milliseconds.
 * @throws {RekeyError} `busy` when it is not free in time.
 */
export async function exclusively<T>(
  path: string,
  work: () => Promise<T>,
  waitMs = LOCK_TIMEOUT_MS,
): Promise<T> {
  using _lock = takeLock(path, waitMs);
  return await work();
}

/** Like {@linkcode exclusively}, for a caller that lets go by itself. */
export function takeLock(path: string, waitMs: number): Disposable {
  makePrivateFile(path);
  const lock = new DatabaseSync(path);
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
      // The time-out comes first: setting the journal mode reads the file, which waits too.
      const wait = Math.min(waitMs, LONGEST_WAIT_MS);
      lock.exec(`PRAGMA busy_timeout = ${wait}; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE`);
    });
  } catch (error) {
    if (!isRekeyError(error, "busy")) throw error;
    throw new RekeyError("busy", "Cannot start: another rekey is rotating or recovering", {
      hint: "Wait for it to end and run the command again; `rotate --lock-timeout` waits longer",
    });
  }
}
