import { DatabaseSync } from "node:sqlite";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { LOCK_TIMEOUT_MS } from "../core/limits.ts";
import { makePrivateFile } from "../files/private_files.ts";
import { explainSqlite } from "./sqlite_errors.ts";

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
