/** A parameter of a statement. */
export type SqlValue = string | number | null;

/** A prepared statement. */
export interface Statement {
  get(...values: SqlValue[]): Record<string, unknown> | undefined;
  all(...values: SqlValue[]): Record<string, unknown>[];
  /** @returns the number of changed rows. */
  run(...values: SqlValue[]): number;
}

/** The part of a database that reads and writes rows. */
export interface Sql {
  prepare(sql: string): Statement;
}
