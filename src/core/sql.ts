/** A value that a statement takes. */
export type SqlValue = string | number | null;

/** A prepared statement. */
export interface Statement {
  get(...values: SqlValue[]): Record<string, unknown> | undefined;
  all(...values: SqlValue[]): Record<string, unknown>[];
  /** Answers how many rows changed. */
  run(...values: SqlValue[]): number;
}

/** The part of a database that rows are read and written with. */
export interface Sql {
  prepare(sql: string): Statement;
}
