import type { DatabaseSync } from "node:sqlite";
import { RekeyError } from "../../core/errors.ts";
import { lockPath } from "./lock.ts";
import { pragma, whole } from "./node_sqlite.ts";
import { MIGRATIONS } from "./schema.ts";
import { Turn } from "./turn.ts";

/**
 * How many migrations were applied to a file.
 *
 * @throws {RekeyError} `database_foreign`, `database_newer` or `database_damaged` when this rekey cannot use the file.
 */
export function migrationsOf(path: string, sqlite: DatabaseSync): number {
  const applied = pragma(sqlite, "user_version");
  const ours = hasTable(sqlite, "rekey_meta");
  // The number belongs to an application: changing it would break the application's migrations.
  if (applied !== 0 && !ours) throw numberedByOthers(path, applied);
  if (applied > MIGRATIONS.length) throw newer(path, applied);
  if (applied < 1 && ours) throw renumbered(path, applied);
  return applied;
}

/**
 * Migrates a file's tables.
 *
 * @param lockMs how long to wait for the database's lock; none when the caller holds it.
 * @param before keeps what an older rekey needs of the tables; gets the number of migrations that were applied to them.
 * @throws {RekeyError} as {@linkcode migrationsOf} does; `busy` when the lock is not free in time; what `before` throws.
 */
export function migrate(
  path: string,
  sqlite: DatabaseSync,
  lockMs: number | undefined,
  before: (applied: number) => void,
): void {
  const applied = migrationsOf(path, sqlite);
  sqlite.exec("PRAGMA synchronous = FULL");
  if (applied === MIGRATIONS.length && journalMode(sqlite) === "wal") return;
  // SQLite does not wait when two processes change the journal mode at once.
  using _lock = lockMs === undefined ? undefined : Turn.take(lockPath(path), lockMs);
  applyMigrations(path, sqlite, before);
}

function applyMigrations(
  path: string,
  sqlite: DatabaseSync,
  before: (applied: number) => void,
): void {
  if (journalMode(sqlite) !== "wal") sqlite.exec("PRAGMA journal_mode = WAL");
  whole(sqlite, () => {
    // Read again: another process may have migrated the file meanwhile.
    const applied = pragma(sqlite, "user_version");
    if (applied < 1 && hasTable(sqlite, "rekey_meta")) throw renumbered(path, applied);
    if (applied > 0 && applied < MIGRATIONS.length) before(applied);
    for (const migration of MIGRATIONS.slice(applied)) sqlite.exec(migration);
    if (!hasOurSettings(sqlite)) throw otherSettings(path);
    sqlite.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  });
}

function hasOurSettings(sqlite: DatabaseSync): boolean {
  const columns = sqlite.prepare("SELECT name, pk FROM pragma_table_info('settings')").all();
  return columns.map(({ name, pk }) => `${name}${pk}`).join() === "key1,value0,encrypted0";
}

function journalMode(sqlite: DatabaseSync): unknown {
  return sqlite.prepare("PRAGMA journal_mode").get()!.journal_mode;
}

function hasTable(sqlite: DatabaseSync, name: string): boolean {
  return sqlite.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?")
    .get(name) !== undefined;
}

/** A newer rekey has migrated it. @param applied how many migrations were applied. */
function newer(path: string, applied: number): RekeyError {
  return new RekeyError(
    "database_newer",
    `Cannot use ${path}: a newer rekey has migrated it (schema ${applied}, this one knows ${MIGRATIONS.length})`,
    {
      hint:
        "Use the newer rekey, and start again what runs since before; or move it aside and `rekey restore` the copy that was made beside it",
    },
  );
}

/** Another program has changed `user_version`. */
function renumbered(path: string, applied: number): RekeyError {
  return new RekeyError(
    "database_damaged",
    `Cannot use ${path}: another program has set its user_version to ${applied}`,
    { hint: `Set it back (PRAGMA user_version = ${MIGRATIONS.length}), or restore a backup` },
  );
}

/** An application uses `user_version` for its own schema. */
function numberedByOthers(path: string, applied: number): RekeyError {
  return new RekeyError(
    "database_foreign",
    `Cannot use ${path}: another program numbers its schema (${applied})`,
    { hint: "Name a folder of rekey's own with --data-dir" },
  );
}

/** An application has a table `settings` with other columns. */
function otherSettings(path: string): RekeyError {
  return new RekeyError(
    "database_foreign",
    `Cannot use ${path}: its table settings is not (key, value, encrypted)`,
    { hint: "Name a folder of rekey's own with --data-dir" },
  );
}
