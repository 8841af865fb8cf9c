import { ACTOR_MATCHES } from "./actor.ts";
import { type AuditColumns, type AuditEvent, type AuditRow, EVENTS } from "./events.ts";
import { rfc3339 } from "../core/clock.ts";
import { RekeyError } from "../core/errors.ts";
import { firstRowOf, type Gap, gapsBetween, isGap, lastRowOf, type LogPart } from "./gaps.ts";
import type { ArrayQuery, Sql, SqlValue } from "../core/sql.ts";

interface MachineRow {
  readonly machine: string;
  readonly row: AuditRow;
}

// Each machine of a fleet logs one of these when a version becomes the current one.
const NEW_VERSION_EVENTS: readonly string[] = [
  EVENTS.created,
  EVENTS.rotationCompleted,
  EVENTS.joined,
];

/**
 * Merges the logs of machines that share a secret. The rows of a log stay in order. Rows of different logs are ordered
 * by version, then by time: a machine's rows before it had a version come before any machine's rows after that. Clocks
 * may differ.
 *
 * @param logs the rows of each machine, in order.
 */
export function mergeLogs(logs: ReadonlyMap<string, readonly AuditRow[]>): MachineRow[] {
  const placed = [...logs].flatMap(([machine, rows], log) => {
    let [version, time] = [0, ""];
    return rows.map((row) => {
      const begins = row.location === "etcd" && NEW_VERSION_EVENTS.includes(row.event) &&
        (row.version ?? 0) > version;
      if (begins) [version, time] = [row.version!, row.time];
      // A clock that is set back does not change the order within a log.
      if (row.time > time) time = row.time;
      return { machine, row, at: [version, begins ? "" : time, log, row.seq] as const };
    });
  });
  placed.sort((a, b) => before(a.at, b.at));
  return placed.map(({ machine, row }) => ({ machine, row }));
}

type Place = readonly [version: number, time: string, log: number, seq: number];

function before(a: Place, b: Place): number {
  const at = a.findIndex((part, n) => part !== b[n]);
  return at < 0 ? 0 : a[at]! < b[at]! ? -1 : 1;
}

const COLUMNS = "seq, time, event, version, kid, location, duration, actor, reason, hash";

const BATCH_ROWS = 1_000;

/** Which audit rows to list. Rows must match all fields that are set. */
export interface AuditFilter {
  /** The event is this one: found by an index, however long the log is. */
  readonly is?: AuditEvent | undefined;
  /** The event contains one of these texts, in any case. */
  readonly event?: readonly string[] | undefined;
  readonly version?: readonly number[] | undefined;
  /** Whole actors, accounts or details of them: see {@linkcode ACTOR_MATCHES}. */
  readonly actor?: readonly string[] | undefined;
  /** First instant, milliseconds since the epoch. */
  readonly since?: number | undefined;
  /** End, exclusive, milliseconds since the epoch. */
  readonly until?: number | undefined;
  /** Only rows with a smaller number, for paging. */
  readonly before?: number | undefined;
  /** Only rows with a larger number. */
  readonly after?: number | undefined;
}

/** The newest `limit` audit rows that match, oldest first. */
export function listAudit(sql: Sql, limit: number, filter: AuditFilter = {}): AuditRow[] {
  const { is, event, version, actor, since, until, before, after } = filter;
  const conditions: [string, readonly SqlValue[]][] = [
    ["event = ?", is === undefined ? [] : [is]],
    ["instr(lower(event), lower(?)) > 0", event ?? []],
    ["version = ?", version ?? []],
    [ACTOR_MATCHES, actor ?? []],
    ["time >= ?", since === undefined ? [] : [rfc3339(since)]],
    ["time < ?", until === undefined ? [] : [rfc3339(until)]],
    ["seq < ?", before === undefined ? [] : [before]],
    ["seq > ?", after === undefined ? [] : [after]],
  ];
  const asked = conditions.filter(([, values]) => values.length > 0);
  const anyOf = ([condition, values]: typeof conditions[number]) =>
    `(${values.map(() => condition).join(" OR ")})`;
  const where = ["true", ...asked.map(anyOf)].join(" AND ");
  const rows = sql.prepare(
    `SELECT * FROM (SELECT ${COLUMNS} FROM rekey_audit WHERE ${where} ORDER BY seq DESC LIMIT ?) ORDER BY seq`,
  ).all(...asked.flatMap(([, values]) => values), limit);
  return rows.map((row) => ({ ...row }) as unknown as AuditRow);
}

/**
 * The whole log, oldest part first, read in batches.
 *
 * @throws {RekeyError} `busy` when rows that were to come next were pruned together with rows before them.
 */
export function* logParts(sql: Sql): Generator<LogPart> {
  const pruned = newestPrune(sql);
  // A forged row may have a number below 1.
  for (let after = Number.MIN_SAFE_INTEGER;;) {
    const { parts, isWhole } = partsAfter(sql, after, BATCH_ROWS);
    const overlaps = parts[0] !== undefined && firstRowOf(parts[0]) <= after;
    if (overlaps && newestPrune(sql) !== pruned) throw prunedMeanwhile();
    yield* parts;
    if (isWhole) return;
    after = lastRowOf(parts.at(-1)!);
  }
}

function newestPrune(sql: Sql): unknown {
  return sql.prepare("SELECT max(seq) AS seq FROM rekey_audit WHERE event = ?")
    .get(EVENTS.pruned)?.seq;
}

function prunedMeanwhile(): RekeyError {
  return new RekeyError("busy", "Cannot read the audit log: it was pruned meanwhile", {
    hint: "Run the command again",
  });
}

const TRIES = 3;

/** The parts of the log after a row, in order: at most `limit` rows and the gaps before each. */
export function partsAfter(
  sql: Sql,
  after: number,
  limit: number,
): { readonly parts: readonly LogPart[]; readonly isWhole: boolean } {
  for (let tries = 1;; tries++) {
    const rows = columnsAfter(sql, after, limit);
    const isWhole = rows.length < limit;
    const until = isWhole ? Number.MAX_SAFE_INTEGER : rows.at(-1)![0];
    const gaps = gapsBetween(sql, after, until);
    if (gaps.length === 0) return { parts: rows, isWhole };
    const parts = [...gaps, ...rows].sort((a, b) => firstRowOf(a) - firstRowOf(b));
    // Between the two reads rows may have become a gap; a forged gap stays over rows.
    if (tries === TRIES || !parts.some(overlapsNext)) return { parts, isWhole };
  }
}

function overlapsNext(part: LogPart, at: number, parts: readonly LogPart[]): boolean {
  const next = parts[at + 1];
  return next !== undefined && firstRowOf(next) <= lastRowOf(part);
}

/** The audit rows after one, in order, at most `limit`. */
export function auditRowsAfter(sql: Sql, seq: number, limit: number): AuditRow[] {
  const rows = sql.prepare(
    `SELECT ${COLUMNS} FROM rekey_audit WHERE seq > ? ORDER BY seq LIMIT ?`,
  ).all(seq, limit);
  return rows as unknown as AuditRow[];
}

/** Like {@linkcode auditRowsAfter}, for many rows. */
export function columnsAfter(sql: Sql, seq: number, limit: number): AuditColumns[] {
  let query = queries.get(sql);
  if (query === undefined) {
    query = sql.prepareArrays(
      `SELECT ${COLUMNS} FROM rekey_audit WHERE seq > ? ORDER BY seq LIMIT ?`,
    );
    queries.set(sql, query);
  }
  return query.all(seq, limit) as unknown as AuditColumns[];
}

const queries = new WeakMap<Sql, ArrayQuery>();

/** A row as `audit export` writes it, without the line feed. Checkpoints are signed over these bytes. */
export function exportLine(row: AuditRow): string {
  const { seq, time, event, version, kid, location, duration, actor, reason, hash } = row;
  return lineOf([seq, time, event, version, kid, location, duration, actor, reason, hash]);
}

/**
 * A part of the log as `audit export` writes it: a row as {@linkcode exportLine}; for a gap the numbers of its first and
 * last row, and their hashes in the tree.
 */
export function partLine(part: LogPart): string {
  return isGap(part) ? gapLine(part) : lineOf(part);
}

/** The line of a gap: see {@linkcode partLine}. */
export function gapLine({ first, last, tree }: Pick<Gap, "first" | "last" | "tree">): string {
  return JSON.stringify({ pruned: [first, last], tree: tree.split(" ") });
}

function lineOf(row: AuditColumns): string {
  const [seq, time, event, version, kid, location, duration, actor, reason, hash] = row;
  const line = { seq, time, event, version, kid, location, duration, actor, reason, hash };
  return JSON.stringify(line);
}

/** When the last rotation completed, RFC 3339; `null` before the first. Its row is never pruned. */
export function lastRotation(sql: Sql): string | null {
  return newestTime(sql, EVENTS.rotationCompleted);
}

/** When an event was logged last, RFC 3339; `null` if it never was, or its rows were pruned. */
export function newestTime(sql: Sql, event: AuditEvent): string | null {
  const row = sql.prepare(
    "SELECT time FROM rekey_audit WHERE event = ? ORDER BY seq DESC LIMIT 1",
  ).get(event) as { time: string } | undefined;
  return row?.time ?? null;
}

/** The time of the newest row that is not younger than an instant, RFC 3339. @param instant milliseconds since the epoch. */
export function newestTimeUntil(sql: Sql, instant: number): string | null {
  const row = sql.prepare("SELECT time FROM rekey_audit WHERE time <= ? ORDER BY seq DESC LIMIT 1")
    .get(rfc3339(instant)) as { time: string } | undefined;
  return row?.time ?? null;
}
