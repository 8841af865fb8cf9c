import { ACTOR_MATCHES } from "./actor.ts";
import { type AuditEvent, type AuditRow, EVENTS } from "./events.ts";
import { rfc3339 } from "../core/clock.ts";
import type { Sql, SqlValue } from "../core/sql.ts";

/** The columns of a row, in the order in which it is hashed. */
export const COLUMNS = "seq, time, event, version, kid, location, duration, actor, reason, hash";

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

/** The audit rows after one, in order, at most `limit`. */
export function auditRowsAfter(sql: Sql, seq: number, limit: number): AuditRow[] {
  const rows = sql.prepare(
    `SELECT ${COLUMNS} FROM rekey_audit WHERE seq > ? ORDER BY seq LIMIT ?`,
  ).all(seq, limit);
  return rows as unknown as AuditRow[];
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
