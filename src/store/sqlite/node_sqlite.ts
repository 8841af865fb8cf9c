import { closing } from "../../core/closing.ts";
import { DatabaseSync } from "node:sqlite";
import { RekeyError } from "../../core/errors.ts";

/** Version of the SQLite inside the runtime. */
export function sqliteVersion(): string {
  return closing(
    new DatabaseSync(":memory:"),
    (database) => String(database.prepare("SELECT sqlite_version() AS version").get()?.version),
  );
}

/** The value of a numeric pragma. */
export function pragma(
  sqlite: DatabaseSync,
  name: "page_count" | "page_size" | "user_version",
): number {
  return Number(sqlite.prepare(`PRAGMA ${name}`).get()![name]);
}

/**
 * Pragmas for a connection that writes. Without them, a commit on macOS may still be in the drive's cache and be lost in
 * a power cut. On other systems they change nothing.
 */
export const FULL_SYNC = "PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON";

/** Runs `work` in one `BEGIN IMMEDIATE` transaction, which commits all of it or nothing. */
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

/**
 * Runs `work` in one read transaction: all that it reads is of one moment, while others may commit. Inside another
 * transaction it is part of that one.
 */
export function ofOneMoment<T>(sqlite: DatabaseSync, work: () => T): T {
  if (sqlite.isTransaction) return work();
  sqlite.exec("BEGIN");
  try {
    return work();
  } finally {
    // Nothing was written, so it does not matter how it ends.
    rollBack(sqlite);
  }
}

// SQLite rolls back by itself after some errors, such as a full disk.
function rollBack(sqlite: DatabaseSync): void {
  try {
    sqlite.exec("ROLLBACK");
  } catch (error) {
    if (!(error instanceof Error && error.message.includes("no transaction is active"))) {
      throw error;
    }
  }
}

// node:sqlite gives a result code for some calls only, so SQLite's fixed English texts (sqlite3_errstr) decide.
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
  // rekey's statements fit rekey's tables: after these errors, someone has changed the tables.
  [
    /no such (table|column)|has no column|failed to prepare|could not be represented|too large|already exists|cannot store|integer overflow/,
    (path) =>
      new RekeyError("database_damaged", `Cannot use ${path}: its tables are not those of rekey`, {
        hint:
          "Restore it from a backup: `rekey restore BACKUP --force`. A secret that was in a keyring is still there",
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
  // A program that goes on has closed a file whose path another one has taken.
  [
    /not open|finalized/,
    (path) =>
      new RekeyError("busy", `Cannot use ${path}: another file took its place`, {
        hint: "Try again",
        retryAfter: 0,
      }),
  ],
  [/unable to open/, (path) =>
    new RekeyError("database_unusable", `Cannot open ${path}`, {
      hint: "Check that the file and its folder belong to this user and can be written",
    })],
];

/**
 * Runs `work` and turns SQLite's errors about the file into a {@linkcode RekeyError}. Other errors (syntax, constraints)
 * are bugs of rekey and pass through, unless the file is damaged: then its rows may break any rule.
 *
 * @param isSound called only after an error that nothing else explains.
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
    hint:
      "Restore it from a backup: `rekey restore BACKUP --force`. A secret that was in a keyring is still there",
  });
}

// ERR_OUT_OF_RANGE: an integer too large for JavaScript. ERR_INVALID_ARG_TYPE: a row without a column.
// ERR_INVALID_STATE: the file was closed.
const CODES: unknown[] = [
  "ERR_SQLITE_ERROR",
  "ERR_OUT_OF_RANGE",
  "ERR_INVALID_ARG_TYPE",
  "ERR_INVALID_STATE",
];

/** Whether an error comes from `node:sqlite`. */
export function isSqliteError(error: unknown): error is Error {
  return error instanceof Error && "code" in error && CODES.includes(error.code);
}

/** Whether another program has added a trigger to a table of rekey. */
export function hasTriggers(sqlite: DatabaseSync): boolean {
  return sqlite.prepare(
    "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND (tbl_name = 'settings' OR tbl_name GLOB 'rekey_*')",
  ).get() !== undefined;
}

/** The error for a write that another program's trigger prevents. */
export function triggered(path: string, cause: unknown): RekeyError {
  return new RekeyError(
    "database_foreign",
    `Cannot write ${path}: a trigger of another program forbids it`,
    { hint: "Drop the trigger, or name a folder of rekey's own with --data-dir", cause },
  );
}
