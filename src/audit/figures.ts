import type { Sql } from "../core/sql.ts";
import { EVENTS } from "./events.ts";

/** How long retrievals from one place took, in milliseconds. */
export interface RetrievalTimes {
  /** How many retrievals the two figures are of: the newest ones, {@linkcode NEWEST} at most. */
  readonly count: number;
  readonly p50_ms: number;
  readonly p95_ms: number;
}

/** The figures that the guide asks to watch. */
export interface Figures {
  /** Verified tokens by result: `valid`, or the code of the refusal. */
  readonly verifications: Record<string, number>;
  /** Share of verifications that found a valid token, 0 to 1; `null` before the first. */
  readonly success_rate: number | null;
  readonly retrieval: Record<"keyring" | "database", RetrievalTimes | null>;
  readonly fallback_rate: number | null;
  readonly rotations: number;
}

const NEWEST = 10_000;

const FROM_DATABASE: readonly string[] = [EVENTS.retrievedFromDatabase, EVENTS.retrievedAsFallback];

/** Computes the figures from what is recorded; the cost does not grow with the log. */
export function figures(sql: Sql): Figures {
  const verifications = verdicts(sql);
  const total = Object.values(verifications).reduce((sum, count) => sum + count, 0);
  return {
    verifications,
    success_rate: total === 0 ? null : (verifications.valid ?? 0) / total,
    retrieval: {
      keyring: times(sql, [EVENTS.retrievedFromKeyring]),
      database: times(sql, FROM_DATABASE),
    },
    fallback_rate: fallbackRate(sql),
    rotations: rotations(sql),
  };
}

/** How many retrievals there were, by where the value was read. */
export interface RetrievalCounts {
  readonly keyring: number;
  readonly database: number;
  /** Those in which a sealed copy had to answer for the keyring. */
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
 * Share of retrievals of a secret in the keyring that its sealed copy in the database had to answer,
 * from 0 to 1; `null` before the first retrieval of all. The guide asks to investigate when it rises.
 */
export function fallbackRate(sql: Sql): number | null {
  const { keyring, database, fallbacks } = retrievalCounts(sql);
  return keyring + database === 0 ? null : fallbacks / (keyring + database);
}

/** Inside a transaction: counts verifications with the same result. */
export function countVerdict(sql: Sql, result: string, count: number): void {
  sql.prepare(
    `INSERT INTO rekey_verifications (result, count) VALUES (?, ?)
     ON CONFLICT (result) DO UPDATE SET count = count + excluded.count`,
  ).run(result, count);
}

function verdicts(sql: Sql): Record<string, number> {
  const rows = sql.prepare("SELECT result, count FROM rekey_verifications ORDER BY result").all();
  return Object.fromEntries(rows.map(({ result, count }) => [String(result), Number(count)]));
}

function times(sql: Sql, events: readonly string[]): RetrievalTimes | null {
  // One after the other: the index serves one event in the order of its rows.
  const newest = sql.prepare(
    `SELECT seq, duration FROM rekey_audit WHERE event = ? AND duration IS NOT NULL
     ORDER BY seq DESC LIMIT ${NEWEST}`,
  );
  const rows = events.flatMap((event) => newest.all(event))
    .sort((a, b) => Number(b.seq) - Number(a.seq)).slice(0, NEWEST);
  const sorted = rows.map(({ duration }) => Number(duration) / 1000).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  // The smallest value that at least this share of all does not exceed.
  const percentile = (share: number) => sorted[Math.ceil(share * sorted.length) - 1]!;
  return { count: sorted.length, p50_ms: percentile(0.5), p95_ms: percentile(0.95) };
}

function rotations(sql: Sql): number {
  const row = sql.prepare("SELECT sum(count) AS n FROM rekey_audit_counts WHERE event = ?")
    .get(EVENTS.rotationCompleted) as { n: number | null };
  return row.n ?? 0;
}
