import { DatabaseSync } from "node:sqlite";
import { MIGRATIONS } from "./schema.ts";

// The older application's table `settings` is its own.
const OWN_SCHEMA = "SELECT name, sql FROM sqlite_schema WHERE name GLOB 'rekey_*' ORDER BY name";

/**
 * Whether a file is as our statements leave it: our tables are those that we made, and pages, rows and
 * indexes agree. It reads the whole file, so ask only when a statement has failed that cannot fail.
 */
export function isSound(sqlite: DatabaseSync): boolean {
  try {
    const [verdict] = sqlite.prepare("PRAGMA integrity_check(1)").all();
    return verdict?.integrity_check === "ok" && schema(sqlite) === intendedSchema() &&
      partialIndexes().every((index) => agrees(sqlite, index));
  } catch {
    return false;
  }
}

/** An index over some of a table's rows. */
interface PartialIndex {
  readonly table: string;
  readonly name: string;
  readonly where: string;
}

function partialIndexes(): PartialIndex[] {
  const partial = /CREATE (?:UNIQUE )?INDEX (\w+) ON (\w+) \([^)]*\)\s+WHERE ([^;]*);/g;
  return [...MIGRATIONS.join("\n").matchAll(partial)].map(([, name, table, where]) =>
    ({ name, table, where }) as PartialIndex
  );
}

// SQLite's own check does not count the entries of a partial index.
function agrees(sqlite: DatabaseSync, { table, name, where }: PartialIndex): boolean {
  const count = (how: string) =>
    sqlite.prepare(`SELECT count(*) AS n FROM ${table} ${how} WHERE ${where}`).get()!.n;
  return count(`INDEXED BY ${name}`) === count("NOT INDEXED");
}

function intendedSchema(): string {
  const sqlite = new DatabaseSync(":memory:");
  try {
    for (const migration of MIGRATIONS) sqlite.exec(migration);
    return schema(sqlite);
  } finally {
    sqlite.close();
  }
}

function schema(sqlite: DatabaseSync): string {
  return JSON.stringify(sqlite.prepare(OWN_SCHEMA).all());
}
