import type { DatabaseSync } from "node:sqlite";
import { newer, numberedByOthers, otherSettings, renumbered } from "./database_refusals.ts";
import { lockPath, takeLock } from "./lock.ts";
import { pragma } from "./pragma.ts";
import { MIGRATIONS } from "./schema.ts";
import { whole } from "./transaction.ts";

/**
 * How many migrations were applied to a file.
 *
 * @throws {RekeyError} `database_foreign`, `database_newer` or `database_damaged` when it is no file of this rekey's.
 */
export function migrationsOf(path: string, sqlite: DatabaseSync): number {
  const applied = pragma(sqlite, "user_version");
  const ours = hasTable(sqlite, "rekey_meta");
  // An application's own numbering of its own tables: taking it over would break its migrations.
  if (applied !== 0 && !ours) throw numberedByOthers(path, applied);
  if (applied > MIGRATIONS.length) throw newer(path, applied);
  if (applied < 1 && ours) throw renumbered(path, applied);
  return applied;
}

/**
 * Brings a file's tables up to date.
 *
 * @param lockMs how long to wait for the database's lock; none when the caller holds it.
 * @throws {RekeyError} as {@linkcode migrationsOf} does; `busy` when the lock cannot be had.
 */
export function migrate(path: string, sqlite: DatabaseSync, lockMs: number | undefined): void {
  const applied = migrationsOf(path, sqlite);
  sqlite.exec("PRAGMA synchronous = FULL");
  if (applied === MIGRATIONS.length && journalMode(sqlite) === "wal") return;
  // SQLite does not wait when two processes change the journal mode at once.
  using _lock = lockMs === undefined ? undefined : takeLock(lockPath(path), lockMs);
  bringUpToDate(path, sqlite);
}

function bringUpToDate(path: string, sqlite: DatabaseSync): void {
  if (journalMode(sqlite) !== "wal") sqlite.exec("PRAGMA journal_mode = WAL");
  whole(sqlite, () => {
    // Asked again: another process may have been first.
    const applied = pragma(sqlite, "user_version");
    if (applied < 1 && hasTable(sqlite, "rekey_meta")) throw renumbered(path, applied);
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
