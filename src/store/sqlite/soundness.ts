import { DatabaseSync } from "node:sqlite";
import { MIGRATIONS } from "./schema.ts";

// The older application's table `settings` is its own.
const OWN_SCHEMA = "SELECT name, sql FROM sqlite_schema WHERE name GLOB 'rekey_*' ORDER BY name";

/**
 * Whether a file is intact: rekey's tables have rekey's schema, and pages, rows and indexes agree. Reads the whole file,
 * so call it only after a statement failed that cannot fail.
 */
export function isSound(sqlite: DatabaseSync): boolean {
  return holds(() => pagesAgree(sqlite)) && hasSoundTables(sqlite);
}

/** The part of {@linkcode isSound} that is left to do in a file whose pages SQLite has checked. */
export function hasSoundTables(sqlite: DatabaseSync): boolean {
  return holds(() =>
    schema(sqlite) === intendedSchema() &&
    partialIndexes().every((index) => agrees(sqlite, index))
  );
}

function holds(isSo: () => boolean): boolean {
  try {
    return isSo();
  } catch {
    return false;
  }
}

// SQLite normalises the beginning of each statement. The column `type` is not used: an edited file can have anything in
// it.
const OTHER_THAN_TABLES = "sql NOT GLOB 'CREATE TABLE *' AND sql NOT GLOB 'CREATE INDEX *' " +
  "AND sql NOT GLOB 'CREATE UNIQUE INDEX *'";

/** Whether a database has tables and indexes only: no triggers, views or virtual tables. */
export function isPlain(sqlite: DatabaseSync): boolean {
  return sqlite.prepare(`SELECT 1 FROM sqlite_schema WHERE ${OTHER_THAN_TABLES}`).get() ===
    undefined;
}

// SQLite's check of a whole file runs the modules of virtual tables. rekey has none, and skips those of others.
function pagesAgree(sqlite: DatabaseSync): boolean {
  const tables = isPlain(sqlite) ? ["1"] : plainTables(sqlite);
  return tables.every((what) =>
    sqlite.prepare(`PRAGMA integrity_check(${what})`).get()?.integrity_check === "ok"
  );
}

function plainTables(sqlite: DatabaseSync): string[] {
  return sqlite.prepare("SELECT name FROM sqlite_schema WHERE sql GLOB 'CREATE TABLE *'").all()
    .map(({ name }) => `"${String(name).replaceAll('"', '""')}"`);
}

/** An index over some of a table's rows. */
interface PartialIndex {
  readonly table: string;
  readonly name: string;
  readonly where: string;
}

// Of the intended schema, since a migration may drop one.
function partialIndexes(): PartialIndex[] {
  using sqlite = migrated();
  const partial = /^CREATE (?:UNIQUE )?INDEX (\w+) ON (\w+) \([^)]*\)\s+WHERE (.*)$/s;
  const found = sqlite.prepare("SELECT sql FROM sqlite_schema WHERE sql GLOB 'CREATE *INDEX *'")
    .all().map(({ sql }) => partial.exec(String(sql))).filter((match) => match !== null);
  return found.map(([, name, table, where]) => ({ name, table, where }) as PartialIndex);
}

// SQLite's integrity check does not count the entries of a partial index. The rows are counted without a WHERE clause:
// in a table without row numbers SQLite uses such an index for one in spite of NOT INDEXED.
function agrees(sqlite: DatabaseSync, { table, name, where }: PartialIndex): boolean {
  const rows = `count(*) FILTER (WHERE ${where}) AS n FROM ${table} NOT INDEXED`;
  const entries = `count(*) AS n FROM ${table} INDEXED BY ${name} WHERE ${where}`;
  const [row, entry] = [rows, entries].map((what) => sqlite.prepare(`SELECT ${what}`).get()!);
  return row!.n === entry!.n;
}

function intendedSchema(): string {
  using sqlite = migrated();
  return schema(sqlite);
}

function migrated(): DatabaseSync {
  const sqlite = new DatabaseSync(":memory:");
  for (const migration of MIGRATIONS) sqlite.exec(migration);
  return sqlite;
}

function schema(sqlite: DatabaseSync): string {
  return JSON.stringify(sqlite.prepare(OWN_SCHEMA).all());
}
