import { DatabaseSync } from "node:sqlite";
import type { Box } from "../process/box.ts";

/** A database: a file, or the one of a box. */
export type Where = string | Box;

/** A row by the names of its columns. */
// deno-lint-ignore no-explicit-any
export type Row = Record<string, any>;

// A server writes its retrievals to the log meanwhile.
const BUSY_MS = 30_000;

/** Opens a database as another program does. What rekey needs to know of it, it is not told. */
export function connect(where: Where, options: object = {}): DatabaseSync {
  const path = typeof where === "string" ? where : where.database;
  return new DatabaseSync(path, { timeout: BUSY_MS, ...options });
}

/** Runs statements behind rekey's back. */
export function sql(where: Where, statements: string): void {
  using sqlite = connect(where);
  sqlite.exec(statements);
}

/** The rows that a query finds, or that one statement with values returns. */
export function query(where: Where, text: string, ...values: (string | number)[]): Row[] {
  using sqlite = connect(where);
  return sqlite.prepare(text).all(...values);
}

/** The first row that a query finds. */
export function queryRow(
  where: Where,
  text: string,
  ...values: (string | number)[]
): Row | undefined {
  return query(where, text, ...values)[0];
}
