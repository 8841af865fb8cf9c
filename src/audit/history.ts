import type { Sql } from "../core/sql.ts";
import { retrievalTimes, rotationCount, verdictCounts } from "./figures.ts";
import { retrievalCounts } from "./counts.ts";
import { newestHead, RETRIEVALS } from "./events.ts";

const [MINUTE_MS, HOUR_MS, DAY_MS] = [60_000, 3_600_000, 86_400_000];

/** How far apart rows of the history are. Rows of a longer step are made from those of the step before it. */
interface HistoryStep {
  readonly name: "minute" | "hour" | "day";
  readonly ms: number;
  /** How long its rows are kept. */
  readonly keptMs: number;
}

const STEPS: readonly HistoryStep[] = [
  { name: "minute", ms: MINUTE_MS, keptMs: 3 * HOUR_MS },
  { name: "hour", ms: HOUR_MS, keptMs: 3 * DAY_MS },
  { name: "day", ms: DAY_MS, keptMs: 100 * DAY_MS },
];

/** What is counted since the log began. */
const COUNTERS = ["valid", "refused", "retrievals", "fallbacks", "rotations"] as const;

/** Each of the {@linkcode COUNTERS}. */
type CountedFigures = Readonly<Record<(typeof COUNTERS)[number], number>>;

/** The counters at an instant. */
interface RecordedCounts extends CountedFigures {
  /** Milliseconds since the epoch, a multiple of its step. */
  readonly at: number;
  /** Number of the newest audit row. */
  readonly seq: number;
  /** Percentiles of the retrievals since the row before, in milliseconds; `null` without any. */
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
}

/** The periods that {@linkcode historyOf} shows. */
export const PERIODS = ["hour", "day", "90d"] as const;
export type Period = (typeof PERIODS)[number];

const SHOWN: Readonly<Record<Period, { readonly step: HistoryStep; readonly buckets: number }>> = {
  hour: { step: STEPS[0]!, buckets: 60 },
  day: { step: STEPS[1]!, buckets: 24 },
  "90d": { step: STEPS[2]!, buckets: 90 },
};

/** What happened in an interval. */
export interface Bucket extends CountedFigures {
  /** Percentiles of its retrievals, in milliseconds; `null` without any. */
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
}

/** The history of a period. */
export interface History {
  readonly step_seconds: number;
  /** Milliseconds since the epoch: the end of each interval; the last one may be in the future. */
  readonly ends: readonly number[];
  /** One for each interval, oldest first; `null` before anything was recorded. */
  readonly buckets: readonly (Bucket | null)[];
  /** The whole period. */
  readonly total: Bucket;
}

/**
 * Writes what has changed since the last call to the history: at most a row for each minute, hour and day. Call it in a
 * transaction.
 *
 * @param at milliseconds since the epoch: a whole minute, the end of what is recorded.
 * @param steady the newest whole minute at which the counters were seen unchanged, if this process has seen any.
 */
export function recordHistory(sql: Sql, at: number, steady: number | undefined): void {
  const rows = new Rows(sql);
  // A clock that was ahead has left them. A server that stops writes the end of its last minute.
  rows.dropAfter(at + MINUTE_MS);
  const newest = rows.newest("minute");
  const counts = countsNow(sql);
  if (newest === undefined || newest.at <= at && !isSame(newest, counts)) {
    if (newest !== undefined && steady !== undefined && steady > newest.at && steady < at) {
      rows.put("minute", { ...newest, at: steady, ...NO_TIMES });
    }
    const { seq } = rows.newestUpTo("minute", at - 1) ?? counts;
    rows.put("minute", { ...counts, at, ...timesSince(sql, seq) });
  }
  for (const [from, to] of PAIRS) condense(sql, rows, from, to, at);
  for (const { name, keptMs } of STEPS) rows.age(name, at - keptMs);
}

/** Whether {@linkcode recordHistory} has something to write: nothing is, while nothing changes. Reads only. */
export function hasHistoryToRecord(sql: Sql, at: number): boolean {
  const rows = new Rows(sql);
  const newest = rows.newest("minute");
  if (newest === undefined || !isSame(newest, countsNow(sql))) return true;
  return PAIRS.some(([from, to]) => {
    const [last, made] = [rows.newest(from.name), rows.newest(to.name)];
    // A change in an hour or day that has ended, which has no row yet.
    return last !== undefined && last.at <= floor(at, to.ms) &&
      (made === undefined || made.at < last.at && !isSame(made, last));
  });
}

const PAIRS = STEPS.slice(1).map((to, index) => [STEPS[index]!, to] as const);

const NO_TIMES = { p50_ms: null, p95_ms: null };

/** Makes the rows of a step from those of the shorter one, up to the last boundary. */
function condense(sql: Sql, rows: Rows, from: HistoryStep, to: HistoryStep, now: number): void {
  let before = rows.newest(to.name);
  const fresh = rows.between(from.name, before?.at ?? 0, floor(now, to.ms));
  const ends = new Map(fresh.map((row) => [Math.ceil(row.at / to.ms) * to.ms, row]));
  for (const [at, row] of ends) {
    if (before !== undefined && isSame(before, row)) continue;
    // So that what has changed belongs to this interval and to no longer one.
    before ??= fresh[0]!;
    if (before.at !== at - to.ms) rows.put(to.name, { ...before, at: at - to.ms, ...NO_TIMES });
    rows.put(to.name, { ...row, at, ...timesSince(sql, before.seq, row.seq) });
    before = { ...row, at };
  }
}

/** The history of a period that ends now. @param now milliseconds since the epoch. */
export function historyOf(sql: Sql, period: Period, now: number): History {
  const { step, buckets } = SHOWN[period];
  const end = Math.ceil(now / step.ms) * step.ms;
  const start = end - buckets * step.ms;
  const rows = new Rows(sql);
  const stored = rows.between(step.name, start, end - 1);
  const first = baseline(rows.newestUpTo(step.name, start), stored[0], start, step) ??
    beginning(rows.oldest(), start, step);
  const live: RecordedCounts = { ...countsNow(sql), at: end, ...NO_TIMES };
  const ends = Array.from({ length: buckets }, (_, index) => start + (index + 1) * step.ms);
  const all = [...first === undefined ? [] : [first], ...stored, live];
  const seen = [start, ...ends].map((at) => all.findLast((row) => row.at <= at));
  const shown = ends.map((at, index) => {
    const [old, last] = [seen[index], seen[index + 1]];
    if (old === undefined || last === undefined) return null;
    const times = last.at === at ? last : NO_TIMES;
    return difference(old, last, at === end ? timesSince(sql, old.seq) : times);
  });
  const oldest = all[0]!;
  return {
    step_seconds: step.ms / 1000,
    ends,
    buckets: shown,
    total: difference(oldest, live, timesSince(sql, oldest.seq)),
  };
}

// What happened while no server ran is told by the row of the next start alone: before it, within the period or not.
function baseline(
  before: RecordedCounts | undefined,
  next: RecordedCounts | undefined,
  start: number,
  { ms }: HistoryStep,
): RecordedCounts | undefined {
  if (before === undefined) return undefined;
  const isGap = next !== undefined && next.at - before.at > ms && !isSame(before, next);
  return { ...isGap ? next : before, at: start };
}

// The first row of all is older than the first row of a longer step.
function beginning(
  oldest: RecordedCounts | undefined,
  start: number,
  { ms }: HistoryStep,
): RecordedCounts | undefined {
  return oldest && { ...oldest, at: Math.max(start, floor(oldest.at, ms)) };
}

// Counters go back when an older copy of the database is restored.
function difference(
  old: CountedFigures,
  last: CountedFigures,
  { p50_ms, p95_ms }: Pick<Bucket, "p50_ms" | "p95_ms">,
): Bucket {
  const entries = COUNTERS.map((name) => [name, Math.max(0, last[name] - old[name])]);
  return { ...Object.fromEntries(entries) as unknown as CountedFigures, p50_ms, p95_ms };
}

function isSame(one: CountedFigures, other: CountedFigures): boolean {
  return COUNTERS.every((name) => one[name] === other[name]);
}

function floor(at: number, ms: number): number {
  return Math.floor(at / ms) * ms;
}

function timesSince(sql: Sql, seq: number, upTo?: number) {
  const { p50_ms, p95_ms } = retrievalTimes(sql, RETRIEVALS, seq, upTo) ?? NO_TIMES;
  return { p50_ms, p95_ms };
}

function countsNow(sql: Sql): CountedFigures & { readonly seq: number } {
  const { valid = 0, ...refused } = verdictCounts(sql);
  const { keyring, database, fallbacks } = retrievalCounts(sql);
  return {
    valid,
    refused: Object.values(refused).reduce((sum, count) => sum + count, 0),
    retrievals: keyring + database,
    fallbacks,
    rotations: rotationCount(sql),
    seq: newestHead(sql)?.seq ?? 0,
  };
}

const COLUMNS = ["at", "seq", ...COUNTERS, "p50_ms", "p95_ms"] as const;

/** The rows of `rekey_history`. */
class Rows {
  constructor(private readonly sql: Sql) {}

  newest(step: HistoryStep["name"]): RecordedCounts | undefined {
    return this.newestUpTo(step, Number.MAX_SAFE_INTEGER);
  }

  newestUpTo(step: HistoryStep["name"], at: number): RecordedCounts | undefined {
    const row = this.sql.prepare(
      `SELECT ${COLUMNS} FROM rekey_history WHERE step = ? AND at <= ? ORDER BY at DESC LIMIT 1`,
    ).get(step, at);
    return row as RecordedCounts | undefined;
  }

  oldest(): RecordedCounts | undefined {
    const row = this.sql.prepare(`SELECT ${COLUMNS} FROM rekey_history ORDER BY at LIMIT 1`).get();
    return row as RecordedCounts | undefined;
  }

  /** Rows after an instant, up to another one, oldest first. */
  between(step: HistoryStep["name"], after: number, upTo: number): RecordedCounts[] {
    const rows = this.sql.prepare(
      `SELECT ${COLUMNS} FROM rekey_history WHERE step = ? AND at > ? AND at <= ? ORDER BY at`,
    ).all(step, after, upTo);
    return rows as unknown as RecordedCounts[];
  }

  put(step: HistoryStep["name"], row: RecordedCounts): void {
    this.sql.prepare(
      `INSERT OR REPLACE INTO rekey_history (step, ${COLUMNS}) VALUES (?, ${
        COLUMNS.map(() => "?")
      })`,
    ).run(step, ...COLUMNS.map((name) => row[name]));
  }

  dropAfter(at: number): void {
    this.sql.prepare("DELETE FROM rekey_history WHERE at > ?").run(at);
  }

  /** Drops rows before an instant, but for the newest of them, which later ones are compared with. */
  age(step: HistoryStep["name"], before: number): void {
    this.sql.prepare(
      `DELETE FROM rekey_history WHERE step = ?
         AND at < (SELECT max(at) FROM rekey_history WHERE step = ? AND at <= ?)`,
    ).run(step, step, before);
  }
}
