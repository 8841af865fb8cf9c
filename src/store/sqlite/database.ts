import { backup, DatabaseSync, type StatementSync } from "node:sqlite";
import { isRekeyError } from "../../core/errors.ts";
import {
  explainSqlite,
  FULL_SYNC,
  hasTriggers,
  isSqliteError,
  ofOneMoment,
  pragma,
  sqliteRefusal,
  triggered,
  whole,
} from "./node_sqlite.ts";
import { BUSY_TIMEOUT_MS, type OpenOptions, type TransactionOptions } from "./database_options.ts";
import { migrate, migrationsOf } from "./migrate.ts";
import { copyBeforeMigration } from "./migration_copy.ts";
import { MIGRATIONS, OWN_TABLES } from "./schema.ts";
import type { ArrayQuery, Sql, SqlValue, Statement } from "../../core/sql.ts";
import { makePrivateFile } from "../../files/private_files.ts";
import { hasSoundTables, isSound } from "./soundness.ts";
import { outlastLooks, PathLook } from "./path_look.ts";
import { WalIndex } from "./wal_index.ts";
import { closeAsLast, emptyLog, LOG_SETTINGS, type Logged, shortenLog } from "./write_ahead_log.ts";
import { fileIdentity, isThere, mustBeRegular } from "../../files/files.ts";

// One step, so that the copy is a snapshot even while others write.
const ALL_PAGES = 2 ** 31 - 1;

// About a second: that many have 100,000 sessions.
const LONG_MIGRATION_BYTES = 16 * 2 ** 20;

// `settings` is the application's too, and refers to nothing.
const PARENTS_FIRST = ["settings", ...OWN_TABLES.toReversed()];

/** The runtime's types lack a method of `node:sqlite`. */
type ArrayStatement = StatementSync & { setReturnArrays(enabled: boolean): void };

/** An SQLite file of rekey, with statements that throw {@linkcode RekeyError}. */
export class Database implements Sql {
  #closed = false;
  #leavesFiles = false;
  #commits = 0;
  #known: string | undefined;
  #index: WalIndex | undefined;
  #look: PathLook | undefined;
  readonly #openedAt = performance.now();
  // The last result of change(), as long as the index says that it is still right.
  #change: string | undefined;
  // Few entries: the SQL is fixed, and values are always parameters.
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
   * Opens the file, creates it if it does not exist, and migrates its tables.
   *
   * @throws {RekeyError} `database_unusable`, `database_damaged`, `database_foreign`, `database_newer` or `busy`.
   */
  static open(path: string, options: OpenOptions = {}): Database {
    const { locked = false, waitMs = BUSY_TIMEOUT_MS, onLongMigration } = options;
    makePrivateFile(path);
    // Read before the file is opened, so that a replacement in between is noticed later.
    const identity = fileIdentity(path);
    return explainSqlite(path, () => {
      const sqlite = new DatabaseSync(path);
      try {
        sqlite.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA secure_delete = ON;
                     PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; ${FULL_SYNC};
                     ${LOG_SETTINGS}`);
        const database = new Database(path, sqlite, identity, waitMs);
        migrate(path, sqlite, locked ? undefined : BUSY_TIMEOUT_MS, (schema) => {
          const bytes = pragma(sqlite, "page_count") * pragma(sqlite, "page_size");
          if (bytes >= LONG_MIGRATION_BYTES) onLongMigration?.(Math.round(bytes / 1e6));
          const create = (copy: string) =>
            Database.create(copy, MIGRATIONS.slice(0, schema).join("\n"), schema);
          copyBeforeMigration(database, { schema, create, tables: PARENTS_FIRST });
        });
        sqlite.exec(`PRAGMA busy_timeout = ${waitMs}`);
        return database;
      } catch (error) {
        sqlite.close();
        throw error;
      }
    });
  }

  /**
   * Opens an existing file read-only. A file of an older rekey is migrated, since it could not be read otherwise.
   *
   * @throws {RekeyError} as {@linkcode Database.open} does.
   */
  static openAsFound(path: string, options: OpenOptions = {}): Database {
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
    return found ?? Database.open(path, options);
  }

  /**
   * Creates a database in an empty file that no other process uses yet. It is not synced before it is finished.
   *
   * @param tables the statements that make its tables.
   * @param schema how many migrations they stand for; default: all.
   */
  static create(path: string, tables: string, schema = MIGRATIONS.length): Database {
    return explainSqlite(path, () => {
      const sqlite = new DatabaseSync(path);
      try {
        // Not OFF, which the runtime's defensive mode ignores.
        sqlite.exec("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; BEGIN");
        sqlite.exec(tables);
        sqlite.exec(`PRAGMA user_version = ${schema}; COMMIT`);
      } catch (error) {
        sqlite.close();
        throw error;
      }
      return new Database(path, sqlite);
    });
  }

  /** A statement that throws SQLite's errors as {@linkcode RekeyError}. */
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

  /** Like {@linkcode Database.prepare}; see {@linkcode ArrayQuery}. */
  prepareArrays(sql: string): ArrayQuery {
    const statement = this.explain(() => this.sqlite.prepare(sql)) as ArrayStatement;
    statement.setReturnArrays(true);
    return {
      all: (...values) => this.explain(() => statement.all(...values) as unknown as SqlValue[][]),
    };
  }

  /**
   * Runs `work` in one `BEGIN IMMEDIATE` transaction, which commits all of it or nothing. `work` is synchronous, so that
   * no transaction stays open across an await.
   *
   * @throws {RekeyError} `busy` when another writer holds the file longer than `waitMs`.
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
        outlastLooks(this.#openedAt);
        return result;
      } finally {
        this.sqlite.exec(`PRAGMA busy_timeout = ${this.waitMs}; PRAGMA synchronous = FULL`);
      }
    });
  }

  /** Runs synchronous `work` that reads: all of it sees the database as of one moment. */
  snapshot<T>(work: () => T): T {
    return this.explain(() => ofOneMoment(this.sqlite, work));
  }

  /** Makes {@linkcode change} and {@linkcode wasReplaced} quick where the system has a way, for a server. */
  lookOften(): void {
    // SQLite maps its index with the first read.
    this.change();
    this.#index?.close();
    this.#index = WalIndex.of(this.path);
    if (this.identity !== undefined) this.#look = PathLook.of(this.path, this.identity);
  }

  /** A text that changes with every commit of this and other connections: `PRAGMA data_version` counts the others. */
  change(): string {
    // The index is looked at first: a commit between the two looks is found by the next call.
    if (this.#index?.isAsBefore() && this.#change !== undefined) return this.#change;
    this.#change = undefined;
    const version = this.prepare("PRAGMA data_version").get()!.data_version;
    const change = `${version}.${this.#commits}`;
    // That of a snapshot may be older than what the index has shown.
    if (!this.sqlite.isTransaction) this.#change = change;
    return change;
  }

  /**
   * Checks that no newer rekey has migrated the file since it was opened: what verifies may be in tables that this one
   * does not know. Looks only after a commit.
   *
   * @throws {RekeyError} as {@linkcode Database.open} does.
   */
  mustBeKnown(): void {
    const change = this.change();
    if (this.#known === change) return;
    this.explain(() => migrationsOf(this.path, this.sqlite));
    this.#known = change;
  }

  /** Whether the opened file was deleted, or another file has its path. For a server see {@linkcode PathLook}. */
  wasReplaced(): boolean {
    if (this.#look?.wasThere()) return false;
    try {
      const { dev, ino } = Deno.statSync(this.path);
      if (this.identity === `${dev}:${ino}`) return false;
    } catch {
      // Deleted or not readable: `fileIdentity` tells which.
    }
    return this.identity !== fileIdentity(this.path);
  }

  /**
   * Empties the write-ahead log into the file, so that overwritten values are in neither.
   *
   * @param waitMs how long to wait for other processes, in milliseconds.
   * @returns whether it succeeded: another process that reads or writes can prevent it.
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

  /** Copies a snapshot of the database into a file, by SQLite's online backup. */
  async copyTo(path: string): Promise<void> {
    try {
      await backup(this.sqlite, path, { rate: ALL_PAGES });
    } catch (error) {
      // The error is about the target file.
      explainSqlite(path, () => {
        throw error;
      });
    }
  }

  /** See {@linkcode hasSoundTables}. */
  hasSoundTables(): boolean {
    return hasSoundTables(this.sqlite);
  }

  /** See {@linkcode isSound}. Reads the whole file. */
  isSound(): boolean {
    return isSound(this.sqlite);
  }

  close(): void {
    if (this.#closed) return;
    this.#index?.close();
    this.#index = undefined;
    this.sqlite.close();
    this.#closed = true;
    // A read-only connection cannot delete the `-wal` and `-shm` files that it made.
    if (this.#leavesFiles) this.explain(() => closeAsLast(this.path));
  }

  /** Turns SQLite's errors in `work` into a {@linkcode RekeyError} about this file. */
  explain<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      const error = sqliteRefusal(this.path, cause, () => isSound(this.sqlite));
      if (isRekeyError(error) || !isSqliteError(error)) throw error;
      // A trigger can raise any error.
      throw hasTriggers(this.sqlite) ? triggered(this.path, error) : error;
    }
  }
}
