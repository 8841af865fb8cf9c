import type { Sql } from "../core/sql.ts";

/** Inside a transaction: takes every row out of tables, which stay. */
export function emptyTables(sql: Sql, names: readonly string[]): void {
  for (const name of names) sql.prepare(`DELETE FROM ${name}`).run();
}
