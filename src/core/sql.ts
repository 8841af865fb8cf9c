/** A parameter of a statement. */
export type SqlValue = string | number | null;

/** A prepared statement. */
export interface Statement {
  get(...values: SqlValue[]): Record<string, unknown> | undefined;
  all(...values: SqlValue[]): Record<string, unknown>[];
  /** @returns the number of changed rows. */
  run(...values: SqlValue[]): number;
}

/** A prepared query whose rows are arrays of their columns: reading them takes a third of the time. */
export interface ArrayQuery {
  all(...values: SqlValue[]): SqlValue[][];
}

/** The part of a database that reads and writes rows. */
export interface Sql {
  prepare(sql: string): Statement;
  /** For queries of many rows. */
  prepareArrays(sql: string): ArrayQuery;
}
