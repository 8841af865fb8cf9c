import type { DatabaseSync } from "node:sqlite";

/** A number that SQLite tells of a database. */
export function pragma(
  sqlite: DatabaseSync,
  name: "freelist_count" | "page_size" | "user_version",
): number {
  return Number(sqlite.prepare(`PRAGMA ${name}`).get()![name]);
}
