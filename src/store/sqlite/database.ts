import { backup, DatabaseSync, type StatementSync } from "node:sqlite";
import { isRekeyError } from "../../core/errors.ts";
import {
  explainSqlite,
  FULL_SYNC,
  hasTriggers,
  isSqliteError,
  pragma,
  sqliteRefusal,
  triggered,
  whole,
} from "./node_sqlite.ts";
import { migrate, MIGRATIONS, migrationsOf } from "./schema.ts";
import type { Sql, Statement } from "../../core/sql.ts";
import { makePrivateFile, mustBeRegular } from "../../files/private_files.ts";
import { isSound } from "./soundness.ts";
import { closeAsLast, emptyLog, LOG_SETTINGS, type Logged, shortenLog } from "./write_ahead_log.ts";
import { fileIdentity, isThere } from "../../files/file_info.ts";

/** How long a writer waits for another one before it gives up, in milliseconds. */
export const BUSY_TIMEOUT_MS = 5_000;

// All in one step, so that the copy is of one instant however much others write.
const ALL_PAGES = 2 ** 31 - 1;

// SQLite refuses a value of more than a gigabyte.
const WIPE_BYTES = 64 * 2 ** 20;

/** How a database is opened. */
export interface OpenOptions {
  /** Whether the caller holds the database's lock already. */
  readonly locked?: boolean;
  /** How long a statement waits for another process, in milliseconds; default {@linkcode BUSY_TIMEOUT_MS}. */
  readonly waitMs?: number;
}

/** How {@linkcode Database.transaction} differs when asked. */
export interface TransactionOptions {
  /** How long to wait for another writer, in milliseconds. */
  readonly waitMs?: number;
  /** False for what a power cut may undo: it is not waited for until it is on the disk. Default true. */
  readonly durable?: boolean;
}

/** One SQLite file, opened with the settings of design §6. */
export class Database implements Sql {
  #closed = false;
  #leavesFiles = false;
  #commits = 0;
  #dataVersion: StatementSync | undefined;
  // The texts are few: rekey writes them, and values are never in them.
  readonly #statements = new Map<string, Statement>();

  readonly #logged: Logged;

  private constructor(
    readonly path: string,
    private readonly sqlite: DatabaseSync,
    private readonly identity?: string,
    private readonly waitMs = BUSY_TIMEOUT_MS,
  ) {
    this.#logged = { path, sqlite, identity };
  }

  /**
   * Opens the file, makes it when it is not there, and brings its tables up to date.
   *
   * @throws {RekeyError} `database_unusable`, `database_damaged`, `database_foreign`,
   * `database_newer` or `busy`.
   */
  static open(path: string, options: OpenOptions = {}): Database {
    const { locked = false, waitMs = BUSY_TIMEOUT_MS } = options;
    makePrivateFile(path);
    // Before it is opened: should another file take its place in between, that is noticed later.
    const identity = fileIdentity(path);
    return explainSqlite(path, () => {
      const sqlite = new DatabaseSync(path);
      try {
        sqlite.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA secure_delete = ON;
                     PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; ${FULL_SYNC};
                     ${LOG_SETTINGS}`);
        const database = new Database(path, sqlite, identity, waitMs);
        migrate(path, sqlite, locked ? undefined : BUSY_TIMEOUT_MS);
        sqlite.exec(`PRAGMA busy_timeout = ${waitMs}`);
        return database;
      } catch (error) {
        sqlite.close();
        throw error;
      }
    });
  }

  /**
   * Opens a file that is there to look at it, and changes nothing; but one of an older rekey is brought up to date,
   * since nothing else could read it.
   *
   * @throws {RekeyError} as {@linkcode Database.open} does.
   */
  static openAsFound(path: string): Database {
    mustBeRegular(path);
    const found = explainSqlite(path, () => {
      const sqlite = new DatabaseSync(path, { readOnly: true });
      try {
        sqlite.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA trusted_schema = OFF`);
        const database = new Database(path, sqlite, fileIdentity(path));
        database.#leavesFiles = !isThere(`${path}-shm`);
        if (migrationsOf(path, sqlite) === MIGRATIONS.length) return database;
      } catch (error) {
        sqlite.close();
        throw error;
      }
      sqlite.close();
      return undefined;
    });
    return found ?? Database.open(path);
  }

  /**
   * Finds out whether this user can write the file now, and changes nothing in it.
   *
   * @throws {RekeyError} `busy` when another program has had a transaction open for `waitMs`,
   * `database_unusable` when the file cannot be written.
   */
  static tryToWrite(path: string, waitMs: number): void {
    if (!isThere(path)) return;
    mustBeRegular(path);
    explainSqlite(path, () => {
      const sqlite = new DatabaseSync(path);
      try {
        sqlite.exec(`PRAGMA busy_timeout = ${waitMs}; ${FULL_SYNC}; BEGIN IMMEDIATE; ROLLBACK`);
      } finally {
        sqlite.close();
      }
    });
  }

  /**
   * A new database in an empty file that is not in use yet: nothing is kept from a crash until the
   * file is finished.
   */
  static create(path: string): Database {
    return explainSqlite(path, () => {
      const sqlite = new DatabaseSync(path);
      try {
        // Not OFF, which the runtime's defensive mode ignores.
        sqlite.exec("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; BEGIN");
        for (const migration of MIGRATIONS) sqlite.exec(migration);
        sqlite.exec(`PRAGMA user_version = ${MIGRATIONS.length}; COMMIT`);
      } catch (error) {
        sqlite.close();
        throw error;
      }
      return new Database(path, sqlite);
    });
  }

  /** A statement whose every step reports errors as {@linkcode RekeyError}. */
  prepare(sql: string): Statement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.explain(() => this.sqlite.prepare(sql));
    const explained: Statement = {
      get: (...values) => this.explain(() => statement.get(...values)),
      all: (...values) => this.explain(() => statement.all(...values)),
      run: (...values) => this.explain(() => Number(statement.run(...values).changes)),
    };
    this.#statements.set(sql, explained);
    return explained;
  }

  /**
   * Runs `work` in one `BEGIN IMMEDIATE` transaction: all of it is committed, or nothing is.
   * `work` is synchronous, so that a transaction is never left open across an await.
   *
   * @throws {RekeyError} `busy` when another writer holds the file for too long.
   */
  transaction<T>(work: () => T, options: TransactionOptions = {}): T {
    const { waitMs = this.waitMs, durable = true } = options;
    return this.explain(() => {
      const synchronous = durable ? "" : "PRAGMA synchronous = NORMAL;";
      try {
        this.sqlite.exec(`PRAGMA busy_timeout = ${waitMs}; ${synchronous}`);
        const result = whole(this.sqlite, work);
        this.#commits++;
        shortenLog(this.#logged);
        return result;
      } finally {
        this.sqlite.exec(`PRAGMA busy_timeout = ${this.waitMs}; PRAGMA synchronous = FULL`);
      }
    });
  }

  /** A text that changes with every commit, whoever made it: `PRAGMA data_version` counts those of others. */
  change(): string {
    return this.explain(() => {
      const statement = this.#dataVersion ??= this.sqlite.prepare("PRAGMA data_version");
      return `${statement.get()!.data_version}.${this.#commits}`;
    });
  }

  /** Whether the path no longer leads to the file that was opened: it was deleted, or another one put there. */
  wasReplaced(): boolean {
    try {
      const { dev, ino } = Deno.statSync(this.path);
      // Asked for each request to a server, and nearly always it is the same one.
      if (this.identity === `${dev}:${ino}`) return false;
    } catch {
      // It is gone, or the system refuses: asked again, it says which.
    }
    return this.identity !== fileIdentity(this.path);
  }

  /**
   * Empties the write-ahead log into the file, so that overwritten values are in neither. Answers
   * whether it could: another process that reads or writes can prevent it.
   *
   * @param waitMs how long to wait for others, in milliseconds.
   */
  truncateLog(waitMs = 200): boolean {
    return this.explain(() => {
      this.sqlite.exec("PRAGMA busy_timeout = 0");
      try {
        return emptyLog(this.#logged, waitMs);
      } finally {
        this.sqlite.exec(`PRAGMA busy_timeout = ${this.waitMs}`);
      }
    });
  }

  /**
   * Overwrites the pages that are not in use with zeros; another program may have left values there.
   * `VACUUM` would do, but the runtime forbids it to a program that may not do everything.
   */
  wipeFreePages(): void {
    this.transaction(() => {
      this.sqlite.exec("CREATE TABLE rekey_wipe (zeros BLOB)");
      const fill = this.prepare("INSERT INTO rekey_wipe VALUES (zeroblob(?))");
      for (let free; (free = pragma(this.sqlite, "freelist_count")) > 0;) {
        fill.run(Math.min(free * pragma(this.sqlite, "page_size"), WIPE_BYTES));
      }
      this.sqlite.exec("DROP TABLE rekey_wipe");
    });
  }

  /**
   * Copies everything, as it is at one instant, into a file, while others may go on writing: SQLite's own
   * backup.
   */
  async copyTo(path: string): Promise<void> {
    try {
      await backup(this.sqlite, path, { rate: ALL_PAGES });
    } catch (error) {
      // The file that cannot be written is the other one.
      explainSqlite(path, () => {
        throw error;
      });
    }
  }

  /** Whether the file is as rekey's own statements leave it: see `soundness.ts`. */
  isSound(): boolean {
    return isSound(this.sqlite);
  }

  /** Takes away what only a backup has. */
  dropBackupTable(): void {
    this.explain(() => this.sqlite.exec("DROP TABLE IF EXISTS rekey_backup"));
  }

  /** Inside a transaction: makes foreign keys count at its end and not at every statement. */
  deferForeignKeys(): void {
    this.sqlite.exec("PRAGMA defer_foreign_keys = ON");
  }

  /** Names of the tables that are not SQLite's own. */
  tables(): string[] {
    const rows = this.prepare(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'",
    ).all();
    return rows.map(({ name }) => String(name));
  }

  /** Inside a transaction: drops tables and counts the file as never migrated. */
  dropTables(names: readonly string[]): void {
    for (const name of names) this.sqlite.exec(`DROP TABLE ${name}`);
    this.sqlite.exec("PRAGMA user_version = 0");
  }

  close(): void {
    if (this.#closed) return;
    this.sqlite.close();
    this.#closed = true;
    // Who only reads cannot delete the files that reading takes.
    if (this.#leavesFiles) this.explain(() => closeAsLast(this.path));
  }

  /** Reports SQLite's errors as those of this file. */
  explain<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      const error = sqliteRefusal(this.path, cause, () => isSound(this.sqlite));
      if (isRekeyError(error) || !isSqliteError(error)) throw error;
      // A trigger can say anything.
      throw hasTriggers(this.sqlite) ? triggered(this.path, error) : error;
    }
  }
}
