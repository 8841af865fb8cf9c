import type { Sql } from "../core/sql.ts";
import { fallbackRate, FROM_DATABASE } from "./counts.ts";
import { type AuditEvent, EVENTS } from "./events.ts";

/** Durations of retrievals from one location, in milliseconds. */
export interface RetrievalTimes {
  /** The number of retrievals measured: the newest 10,000 at most. */
  readonly count: number;
  readonly p50_ms: number;
  readonly p95_ms: number;
}

/** The figures to monitor. */
export interface Figures {
  /** Verified tokens by result: `valid`, or the error code. */
  readonly verifications: Record<string, number>;
  /** Share of valid tokens, 0 to 1; `null` before the first verification. */
  readonly success_rate: number | null;
  readonly retrieval: Record<"keyring" | "database", RetrievalTimes | null>;
  readonly fallback_rate: number | null;
  readonly rotations: number;
}

const NEWEST = 10_000;

/** Computes the figures from the log's counters and newest rows. */
export function figures(sql: Sql): Figures {
  const verifications = verdictCounts(sql);
  const total = Object.values(verifications).reduce((sum, count) => sum + count, 0);
  return {
    verifications,
    success_rate: total === 0 ? null : (verifications.valid ?? 0) / total,
    retrieval: {
      keyring: retrievalTimes(sql, [EVENTS.retrievedFromKeyring]),
      database: retrievalTimes(sql, FROM_DATABASE),
    },
    fallback_rate: fallbackRate(sql),
    rotations: rotationCount(sql),
  };
}

/** How many verifications had each result: `valid`, or the error code. */
export function verdictCounts(sql: Sql): Record<string, number> {
  const rows = sql.prepare("SELECT result, count FROM rekey_verifications ORDER BY result").all();
  return Object.fromEntries(rows.map(({ result, count }) => [String(result), Number(count)]));
}

/**
 * The times of the newest retrievals, 10,000 at most; `null` without any.
 *
 * @param after only rows with a larger number, and none above `upTo`.
 */
export function retrievalTimes(
  sql: Sql,
  events: readonly string[],
  after = Number.MIN_SAFE_INTEGER,
  upTo = Number.MAX_SAFE_INTEGER,
): RetrievalTimes | null {
  // One query for each event: the index has the rows of one event in order.
  const newest = sql.prepare(
    `SELECT seq, duration FROM rekey_audit
     WHERE event = ? AND seq > ? AND seq <= ? AND duration IS NOT NULL ORDER BY seq DESC LIMIT ${NEWEST}`,
  );
  const rows = events.flatMap((event) => newest.all(event, after, upTo))
    .sort((a, b) => Number(b.seq) - Number(a.seq)).slice(0, NEWEST);
  const sorted = rows.map(({ duration }) => Number(duration) / 1000).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  // Nearest-rank percentile.
  const percentile = (share: number) => sorted[Math.ceil(share * sorted.length) - 1]!;
  return { count: sorted.length, p50_ms: percentile(0.5), p95_ms: percentile(0.95) };
}

/** How many rotations were completed. */
export function rotationCount(sql: Sql): number {
  return countOf(sql, EVENTS.rotationCompleted);
}

/** How often an event was logged. */
export function countOf(sql: Sql, event: AuditEvent): number {
  const row = sql.prepare("SELECT sum(count) AS n FROM rekey_audit_counts WHERE event = ?")
    .get(event) as { n: number | null };
  return row.n ?? 0;
}
