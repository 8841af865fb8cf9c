import type { Statement } from "../../../src/core/sql.ts";
import type { Installation } from "../../../src/store/installation.ts";
import { Database } from "../../../src/store/sqlite/database.ts";
import { Versions } from "../../../src/store/sqlite/versions.ts";

/**
 * Commits, in a connection of its own, the rotation of a pending version, with a grace window for the one before it.
 *
 * @param graceUntil milliseconds since the epoch.
 */
export function commitRotation({ database: { path } }: Installation, graceUntil: number): void {
  const other = Database.open(path);
  try {
    const versions = new Versions(other);
    other.transaction(() => {
      const [old, next] = [versions.current()!, versions.pending()!];
      versions.supersede(old, graceUntil);
      versions.activate(next, graceUntil);
    });
  } finally {
    other.close();
  }
}

/**
 * Runs `work`, and `between` once, right after a database has answered the given number of queries.
 *
 * @param at from 1.
 * @returns what `work` returns, and whether it made so many queries.
 */
export function betweenReads<T>(
  { database }: Installation,
  at: number,
  between: () => void,
  work: () => T,
): { result: T; reached: boolean } {
  let queries = 0;
  const counted = <R>(answer: R): R => {
    if (++queries === at) between();
    return answer;
  };
  const { prepare } = database;
  database.prepare = (sql: string): Statement => {
    const statement = prepare.call(database, sql);
    return {
      ...statement,
      get: (...values) => counted(statement.get(...values)),
      all: (...values) => counted(statement.all(...values)),
    };
  };
  try {
    return { result: work(), reached: queries >= at };
  } finally {
    database.prepare = prepare;
  }
}
