import type { Sql, SqlValue } from "../../core/sql.ts";
import type { Database } from "./database.ts";

/** Names of the tables that are not SQLite's own. */
export function tableNames(sql: Sql): string[] {
  const rows = sql.prepare(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'",
  ).all();
  return rows.map(({ name }) => String(name));
}

/** Inside a transaction: drops tables, and resets the number of applied migrations. */
export function dropTables(sql: Sql, names: readonly string[]): void {
  for (const name of names) sql.prepare(`DROP TABLE ${name}`).run();
  sql.prepare("PRAGMA user_version = 0").run();
}

/** Inside a transaction: checks foreign keys at its end, not at every statement. */
export function deferForeignKeys(sql: Sql): void {
  sql.prepare("PRAGMA defer_foreign_keys = ON").run();
}

/** Drops the table that only a backup has. */
export function dropBackupTable(sql: Sql): void {
  sql.prepare("DROP TABLE IF EXISTS rekey_backup").run();
}

/** Inside a transaction: deletes every row of the tables. */
export function emptyTables(sql: Sql, names: readonly string[]): void {
  for (const name of names) sql.prepare(`DELETE FROM ${name}`).run();
}

const ROWS_AT_ONCE = 10_000;

/** Inside a transaction: replaces the rows of a table that match `where` with those of another database. */
export function takeRows(into: Database, from: Database, table: string, where = "true"): void {
  // This file's columns, since the other file's schema is not trusted.
  const described = into.prepare(`SELECT name, pk FROM pragma_table_info('${table}')`).all();
  const columns = described.map(({ name }) => String(name));
  const keys = described.filter(({ pk }) => pk !== 0).map(({ name }) => String(name));
  into.prepare(`DELETE FROM ${table} WHERE ${where}`).run();
  const insert = into.prepare(
    `INSERT INTO ${table} (${columns}) VALUES (${columns.map(() => "?")})`,
  );
  // If the other file is damaged, an insert may fail: the error is about that file.
  from.explain(() => {
    for (const row of rowsOf(from, table, columns, keys, where)) insert.run(...row);
  });
}

// In batches: the runtime may collect an iterator's statement while it runs, which crashes the process.
function* rowsOf(
  from: Database,
  table: string,
  columns: string[],
  keys: string[],
  where: string,
): Generator<SqlValue[]> {
  const order = `ORDER BY ${keys} LIMIT ${ROWS_AT_ONCE}`;
  const select = `SELECT ${columns} FROM ${table} WHERE (${where})`;
  const places = keys.map(() => "?");
  const next = from.prepare(`${select} AND (${keys}) > (${places}) ${order}`);
  const values = (row: Record<string, unknown>) => Object.values(row) as SqlValue[];
  let rows = from.prepare(`${select} ${order}`).all();
  for (;;) {
    for (const row of rows) yield values(row);
    // A key of damaged text comes back as other text: rows after that one may be those that were read.
    if (rows.length < ROWS_AT_ONCE) return;
    const last = values(rows.at(-1)!);
    rows = next.all(...keys.map((name) => last[columns.indexOf(name)]!));
  }
}
