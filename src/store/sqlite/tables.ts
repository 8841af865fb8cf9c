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

/**
 * Does `work`, which begins its own transaction, without what foreign keys do: rows of other tables that refer to one stay
 * as they are while it is put back.
 */
export function withoutForeignKeys(sql: Sql, work: () => void): void {
  // SQLite ignores it inside a transaction.
  sql.prepare("PRAGMA foreign_keys = OFF").run();
  try {
    work();
  } finally {
    sql.prepare("PRAGMA foreign_keys = ON").run();
  }
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

// A call of the runtime takes longer than SQLite needs for a row.
const ROWS_OF_AN_INSERT = 20;

/** Inside a transaction: replaces the rows of a table that match `where` with those of another database. */
export function takeRows(into: Database, from: Database, table: string, where = "true"): void {
  // This file's columns, since the other file's schema is not trusted.
  const described = into.prepare(`SELECT name, pk FROM pragma_table_info('${table}')`).all();
  const columns = described.map(({ name }) => String(name));
  const keys = described.filter(({ pk }) => pk !== 0).map(({ name }) => String(name));
  const indexes = [into, from].some((one) => isLong(one, table)) ? dropIndexes(into, table) : [];
  into.prepare(`DELETE FROM ${table} WHERE ${where}`).run();
  const places = `(${columns.map(() => "?")})`;
  const insert = (rows: SqlValue[][]) =>
    into.prepare(`INSERT INTO ${table} (${columns}) VALUES ${rows.map(() => places)}`)
      .run(...rows.flat());
  // If the other file is damaged, an insert may fail: the error is about that file.
  from.explain(() => {
    for (const rows of batchesOf(from, table, columns, keys, where)) {
      for (let at = 0; at < rows.length; at += ROWS_OF_AN_INSERT) {
        insert(rows.slice(at, at + ROWS_OF_AN_INSERT));
      }
    }
    for (const sql of indexes) into.prepare(sql).run();
  });
}

function isLong(sql: Sql, table: string): boolean {
  return sql.prepare(`SELECT 1 FROM ${table} LIMIT 1 OFFSET ${ROWS_AT_ONCE}`).get() !== undefined;
}

/**
 * Drops the indexes of a table: to make them from a million rows takes seconds, to change them row by row minutes.
 *
 * @returns the statements that make them.
 */
function dropIndexes(sql: Sql, table: string): string[] {
  const indexes = sql.prepare(
    `SELECT name, sql FROM sqlite_schema
     WHERE type = 'index' AND tbl_name = ? AND name GLOB 'rekey_*' AND sql IS NOT NULL`,
  ).all(table);
  for (const { name } of indexes) sql.prepare(`DROP INDEX ${name}`).run();
  return indexes.map(({ sql }) => String(sql));
}

// In batches: the runtime may collect an iterator's statement while it runs, which crashes the process.
function* batchesOf(
  from: Database,
  table: string,
  columns: string[],
  keys: string[],
  where: string,
): Generator<SqlValue[][]> {
  const order = `ORDER BY ${keys} LIMIT ${ROWS_AT_ONCE}`;
  const select = `SELECT ${columns} FROM ${table} WHERE (${where})`;
  const places = keys.map(() => "?");
  const next = from.prepareArrays(`${select} AND (${keys}) > (${places}) ${order}`);
  let rows = from.prepareArrays(`${select} ${order}`).all();
  for (;;) {
    yield rows;
    // A key of damaged text comes back as other text: rows after that one may be those that were read.
    if (rows.length < ROWS_AT_ONCE) return;
    const last = rows.at(-1)!;
    rows = next.all(...keys.map((name) => last[columns.indexOf(name)]!));
  }
}
