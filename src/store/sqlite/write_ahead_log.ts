import { DatabaseSync } from "node:sqlite";
import { isRekeyError } from "../../core/errors.ts";
import { fileIdentity, isThere, sizeOf } from "../../files/file_errors.ts";
import type { Database } from "./database.ts";
import type { Meta } from "./meta.ts";
import { explainSqlite, FULL_SYNC, isSqliteError, pragma, whole } from "./node_sqlite.ts";

/** Version of the SQLite inside the runtime. */
export function sqliteVersion(): string {
  const database = new DatabaseSync(":memory:");
  try {
    return String(database.prepare("SELECT sqlite_version() AS version").get()?.version);
  } finally {
    database.close();
  }
}

// SQLite before 3.51.3 can corrupt a database when another connection starts its log over while a checkpoint
// begins (docs/storage.md). Here no connection can: every checkpoint is made while this process keeps writers out.

/**
 * A longer log is written into the file by whoever commits next, in bytes: SQLite's own measure, which is a thousand
 * pages.
 */
const LONG_LOG_BYTES = 4 * 2 ** 20;

// Of the log's own format: a header, and one before each page.
const HEADER_BYTES = 32;
const PAGE_HEADER_BYTES = 24;

const NAP_MS = 5;

/**
 * What a connection is told when it is opened: SQLite makes no checkpoint by itself, since it would not keep writers
 * out, and whoever starts the log over cuts off the rest of it. The one that SQLite makes for the last connection
 * that closes stays: that one has locked the file for itself.
 */
export const LOG_SETTINGS = "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 0";

/** A connection to a database, and the file that it was opened as. */
export interface Logged {
  readonly path: string;
  readonly sqlite: DatabaseSync;
  /** See `fileIdentity`. */
  readonly identity: string | undefined;
}

/**
 * Writes the log into the file and starts it over, so that overwritten values are in neither: what is left of it is
 * the first page, which holds no row.
 *
 * @param waitMs how long to try, in milliseconds.
 * @returns whether it could: another process that reads or writes can prevent it.
 */
export function emptyLog(logged: Logged, waitMs: number): boolean {
  const end = performance.now() + waitMs;
  return succeeds(end, () => {
    return sizeOf(logPath(logged)) === 0 || (checkpoint(logged, end) && startOver(logged));
  });
}

/**
 * Writes the log into the file if it has become long, and if others do not prevent it; the next writer starts it
 * over. Call it after a commit, which stands whatever becomes of the log.
 */
export function shortenLog(logged: Logged): void {
  try {
    if (sizeOf(logPath(logged)) > LONG_LOG_BYTES) checkpoint(logged, 0);
  } catch (error) {
    if (!isRekeyError(error) && !isSqliteError(error)) throw error;
  }
}

/**
 * Has SQLite delete the files beside a database that reading has left, unless another program uses them: that one may
 * have locked the database just now, and deletes them itself.
 */
export function closeAsLast(path: string): void {
  // Opened for writing, one that was destroyed meanwhile would be created again.
  if (!isThere(path)) return;
  const sqlite = new DatabaseSync(path);
  try {
    unlessBusy(path, () => sqlite.exec(`${FULL_SYNC}; SELECT count(*) FROM sqlite_schema`));
  } finally {
    sqlite.close();
  }
}

// Answers whether all of the log could be written into the file.
function checkpoint({ path, sqlite, identity }: Logged, end: number): boolean {
  // A lock on another file that has taken this one's path would keep no one out of this one.
  const isTheSame = () => identity !== undefined && fileIdentity(path) === identity;
  if (!isTheSame()) return false;
  const writersOut = new DatabaseSync(path);
  try {
    const wait = Math.max(0, Math.ceil(end - performance.now()));
    const begin = () => writersOut.exec(`PRAGMA busy_timeout = ${wait}; BEGIN IMMEDIATE`);
    if (!isTheSame() || !unlessBusy(path, begin)) return false;
    // Without waiting for readers, so that writers do not wait either: some do for a tenth of a second only. SQLite's
    // own ways to wait keep them out, and let them in when they have waited in vain.
    const { busy, log, checkpointed } = sqlite.prepare("PRAGMA wal_checkpoint(PASSIVE)").get()!;
    return busy === 0 && log === checkpointed;
  } finally {
    writersOut.close();
  }
}

// Tries until something succeeds, or until a time of `performance.now()`; once at least.
function succeeds(end: number, attempt: () => boolean): boolean {
  while (!attempt()) {
    if (performance.now() >= end) return false;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, NAP_MS);
  }
  return true;
}

// Answers whether the log could be started over: that takes a commit, and no reader of what is in it.
function startOver(logged: Logged): boolean {
  const { path, sqlite } = logged;
  // A power cut may undo it: what the log held is in the file.
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

/** Wipes destroyed and formerly plain values from free pages and the write-ahead log, if a transaction asked for it. */
export function scrub(
  { database, meta }: { readonly database: Database; readonly meta: Meta },
  waitMs?: number,
): void {
  const pending = meta.get("scrub_pending");
  if (pending === undefined) return;
  if (pending === "file") database.wipeFreePages();
  if (!database.truncateLog(waitMs)) return;
  database.transaction(() => meta.remove("scrub_pending"));
}
