import { EVENTS } from "./events.ts";
import type { Sql } from "../core/sql.ts";

// Counters of the log, which cost the same however long it is.

/** Events of retrievals from the database. */
export const FROM_DATABASE: readonly string[] = [
  EVENTS.retrievedFromDatabase,
  EVENTS.retrievedAsFallback,
];

/** Retrievals by location. */
interface RetrievalCounts {
  readonly keyring: number;
  readonly database: number;
  /** Those that used the sealed copy in place of the keyring: it was unavailable, or did not have the value. */
  readonly fallbacks: number;
}

/** Counts all retrievals. */
export function retrievalCounts(sql: Sql): RetrievalCounts {
  const rows = sql.prepare(
    "SELECT event, home, count FROM rekey_audit_counts WHERE event IN (?, ?, ?)",
  ).all(EVENTS.retrievedFromKeyring, ...FROM_DATABASE);
  const sum = (some: typeof rows) => some.reduce((total, { count }) => total + Number(count), 0);
  const sealed = rows.filter(({ event }) => event !== EVENTS.retrievedFromKeyring);
  return {
    keyring: sum(rows.filter(({ event }) => event === EVENTS.retrievedFromKeyring)),
    database: sum(sealed),
    fallbacks: sum(sealed.filter(({ home }) => home === "keyring")),
  };
}

/**
 * Share of retrievals that used the sealed copy in place of the keyring, 0 to 1; `null` before the first retrieval.
 * Investigate when it rises.
 */
export function fallbackRate(sql: Sql): number | null {
  const { keyring, database, fallbacks } = retrievalCounts(sql);
  return keyring + database === 0 ? null : fallbacks / (keyring + database);
}

/** Counts verifications with a result. Call it in a transaction. */
export function countVerdict(sql: Sql, result: string, count: number): void {
  sql.prepare(
    `INSERT INTO rekey_verifications (result, count) VALUES (?, ?)
     ON CONFLICT (result) DO UPDATE SET count = count + excluded.count`,
  ).run(result, count);
}
