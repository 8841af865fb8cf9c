import type { DatabaseSync } from "node:sqlite";
import { RekeyError } from "../../core/errors.ts";

/** A number that SQLite tells of a database. */
export function pragma(
  sqlite: DatabaseSync,
  name: "freelist_count" | "page_size" | "user_version",
): number {
  return Number(sqlite.prepare(`PRAGMA ${name}`).get()![name]);
}

/**
 * Statements for a connection that writes. On macOS a commit and a checkpoint would have ended when they are in the
 * drive's own memory, and a power cut would take them; elsewhere there is one way to write to a disk, and these change
 * nothing.
 */
export const FULL_SYNC = "PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON";

/** Runs `work` in one `BEGIN IMMEDIATE` transaction: all of it is committed, or nothing is. */
export function whole<T>(sqlite: DatabaseSync, work: () => T): T {
  sqlite.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    sqlite.exec("COMMIT");
    return result;
  } catch (error) {
    rollBack(sqlite);
    throw error;
  }
}

// SQLite has rolled back by itself after some errors, a full disk among them.
function rollBack(sqlite: DatabaseSync): void {
  try {
    sqlite.exec("ROLLBACK");
  } catch (error) {
    if (!(error instanceof Error && error.message.includes("no transaction is active"))) {
      throw error;
    }
  }
}

// node:sqlite gives a result code for some calls only, so SQLite's own fixed English texts
// (sqlite3_errstr) tell the cases apart.
const FINDINGS: readonly [RegExp, (path: string) => RekeyError][] = [
  [
    /database (table )?is locked/,
    (path) =>
      new RekeyError("busy", `Cannot write ${path}: another process holds it`, {
        hint: "Close programs that keep a transaction open on it, then run the command again",
      }),
  ],
  [
    /file is not a database/,
    (path) =>
      new RekeyError("database_damaged", `Cannot use ${path}: it is not an SQLite database`, {
        hint: "Move it away, or name another folder with --data-dir",
      }),
  ],
  [/malformed/, damaged],
  // Our own statements are tested against our own tables: others have been changed by somebody.
  [
    /no such (table|column)|has no column|failed to prepare|could not be represented|too large|already exists|cannot store|integer overflow/,
    (path) =>
      new RekeyError("database_damaged", `Cannot use ${path}: its tables are not those of rekey`, {
        hint: "Restore it from a backup; the secret itself may still be in the keyring",
      }),
  ],
  [
    /readonly|read-only/,
    (path) =>
      new RekeyError("database_unusable", `Cannot write ${path}: it is read-only`, {
        hint: "Make the file and its folder writable by this user",
      }),
  ],
  [
    /disk is full|disk I\/O error/,
    (path) =>
      new RekeyError("database_unusable", `Cannot write ${path}: the disk is full or failing`, {
        hint: "Free some space and run the command again",
      }),
  ],
  [/unable to open/, (path) =>
    new RekeyError("database_unusable", `Cannot open ${path}`, {
      hint: "Check that the file and its folder belong to this user and can be written",
    })],
];

/**
 * Runs `work` and turns what SQLite reports about the file into a {@linkcode RekeyError}. Mistakes of
 * our own (syntax, constraints) pass through: they are bugs and must look like bugs. On a file that is
 * not sound they are the file's: its rows may contradict what the tables promise.
 *
 * @param isSound asked only after an error that nothing else explains.
 */
export function explainSqlite<T>(
  path: string,
  work: () => T,
  isSound: () => boolean = () => true,
): T {
  try {
    return work();
  } catch (error) {
    throw sqliteRefusal(path, error, isSound);
  }
}

/** What {@linkcode explainSqlite} throws for an error: a refusal, or the error itself. */
export function sqliteRefusal(path: string, error: unknown, isSound: () => boolean): unknown {
  if (!isSqliteError(error)) return error;
  const finding = FINDINGS.find(([text]) => text.test(error.message))?.[1];
  return finding === undefined && isSound() ? error : (finding ?? damaged)(path);
}

function damaged(path: string): RekeyError {
  return new RekeyError("database_damaged", `Cannot use ${path}: the database is damaged`, {
    hint: "Restore it from a backup; the secret itself may still be in the keyring",
  });
}

// The second one is an integer in a row that JavaScript cannot hold, the third a column that a row lacks.
const CODES: unknown[] = ["ERR_SQLITE_ERROR", "ERR_OUT_OF_RANGE", "ERR_INVALID_ARG_TYPE"];

/** Whether an error comes from `node:sqlite`. */
export function isSqliteError(error: unknown): error is Error {
  return error instanceof Error && "code" in error && CODES.includes(error.code);
}

// Why a file is not used as rekey's database, in words for the operator.

/** Whether another program has put a trigger on a table of rekey's. */
export function hasTriggers(sqlite: DatabaseSync): boolean {
  return sqlite.prepare(
    "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND (tbl_name = 'settings' OR tbl_name GLOB 'rekey_*')",
  ).get() !== undefined;
}

/** Another program's trigger stands in the way. */
export function triggered(path: string, cause: unknown): RekeyError {
  return new RekeyError(
    "database_foreign",
    `Cannot write ${path}: a trigger of another program forbids it`,
    { hint: "Drop the trigger, or name a folder of rekey's own with --data-dir", cause },
  );
}
