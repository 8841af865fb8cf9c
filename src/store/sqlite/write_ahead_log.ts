import { DatabaseSync } from "node:sqlite";
import { sleepSync } from "../../system/files.ts";
import { isRekeyError } from "../../core/errors.ts";
import { explainSqlite, FULL_SYNC, isSqliteError, pragma, whole } from "./node_sqlite.ts";
import { fileIdentity, isThere, sizeOf } from "../../files/files.ts";

// SQLite before 3.51.3 can corrupt a database when another connection restarts the log while a checkpoint begins
// (docs/storage.md). rekey prevents it: it keeps writers out during every checkpoint.

/**
 * Above this size in bytes, the next commit checkpoints the log: SQLite's own threshold of a thousand pages.
 */
const LONG_LOG_BYTES = 4 * 2 ** 20;

// The log's format: one header, and one before each page.
const HEADER_BYTES = 32;
const PAGE_HEADER_BYTES = 24;

const NAP_MS = 5;

/**
 * Settings of a new connection: SQLite's automatic checkpoint is off, since it does not keep writers out, and a restart
 * of the log truncates it. The checkpoint of the last connection that closes is safe, since it locks the file.
 */
export const LOG_SETTINGS = "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 0";

/** A connection to a database, and the file that it opened. */
export interface Logged {
  readonly path: string;
  readonly sqlite: DatabaseSync;
  /** See `fileIdentity`. */
  readonly identity: string | undefined;
}

/**
 * Checkpoints and restarts the log, so that overwritten values are in neither file. The new log holds only the first
 * page, which has no rows.
 *
 * @param waitMs how long to try, in milliseconds.
 * @returns whether it succeeded: another process that reads or writes can prevent it.
 */
export function emptyLog(logged: Logged, waitMs: number): boolean {
  const end = performance.now() + waitMs;
  return succeeds(end, () => {
    return sizeOf(logPath(logged)) === 0 || (checkpoint(logged, end) && startOver(logged));
  });
}

/**
 * Checkpoints a long log, unless others prevent it; the next writer restarts the log. Call it after a commit, which a
 * failure here does not affect.
 */
export function shortenLog(logged: Logged): void {
  try {
    if (sizeOf(logPath(logged)) > LONG_LOG_BYTES) checkpoint(logged, 0);
  } catch (error) {
    if (!isRekeyError(error) && !isSqliteError(error)) throw error;
  }
}

/**
 * Has SQLite delete the `-wal` and `-shm` files that a read-only connection left. Another program that holds the
 * database deletes them itself.
 */
export function closeAsLast(path: string): void {
  // Opening would create a database that was destroyed meanwhile.
  if (!isThere(path)) return;
  using sqlite = new DatabaseSync(path);
  unlessBusy(path, () => sqlite.exec(`${FULL_SYNC}; SELECT count(*) FROM sqlite_schema`));
}

// Returns whether all of the log was written into the file.
function checkpoint({ path, sqlite, identity }: Logged, end: number): boolean {
  // If another file took the path, a lock on that one would not keep writers out of this one.
  const isTheSame = () => identity !== undefined && fileIdentity(path) === identity;
  if (!isTheSame()) return false;
  using writersOut = new DatabaseSync(path);
  const wait = Math.max(0, Math.ceil(end - performance.now()));
  const begin = () => writersOut.exec(`PRAGMA busy_timeout = ${wait}; BEGIN IMMEDIATE`);
  if (!isTheSame() || !unlessBusy(path, begin)) return false;
  // PASSIVE does not wait for readers, so writers wait only briefly: some have a timeout of 100 ms.
  const { busy, log, checkpointed } = sqlite.prepare("PRAGMA wal_checkpoint(PASSIVE)").get()!;
  return busy === 0 && log === checkpointed;
}

// Tries at least once, until success or until `end`, a time of `performance.now()`.
function succeeds(end: number, attempt: () => boolean): boolean {
  while (!attempt()) {
    if (performance.now() >= end) return false;
    sleepSync(NAP_MS);
  }
  return true;
}

// Returns whether the log was restarted, which takes a commit while no one reads the log.
function startOver(logged: Logged): boolean {
  const { path, sqlite } = logged;
  // No sync needed: the content of the log is in the file.
  sqlite.exec("PRAGMA synchronous = NORMAL");
  try {
    if (!unlessBusy(path, () => whole(sqlite, () => writeFirstPage(sqlite)))) return false;
  } finally {
    sqlite.exec("PRAGMA synchronous = FULL");
  }
  const onePage = HEADER_BYTES + PAGE_HEADER_BYTES + pragma(sqlite, "page_size");
  return sizeOf(logPath(logged)) === onePage;
}

function writeFirstPage(sqlite: DatabaseSync): void {
  sqlite.exec(`PRAGMA user_version = ${pragma(sqlite, "user_version")}`);
}

function unlessBusy(path: string, work: () => void): boolean {
  try {
    explainSqlite(path, work);
    return true;
  } catch (error) {
    if (!isRekeyError(error, "busy")) throw error;
    return false;
  }
}

function logPath({ path }: Logged): string {
  return `${path}-wal`;
}
