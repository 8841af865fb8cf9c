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
    return verdict?.integrity_check === "ok" && schema(sqlite) === intendedSchema();
  } catch {
    return false;
  }
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
