import { type AuditRow, EVENTS } from "./events.ts";
import { rfc3339 } from "../core/clock.ts";
import type { Sql, SqlValue } from "../core/sql.ts";

/** A row of one machine's log. */
interface MachineRow {
  readonly machine: string;
  readonly row: AuditRow;
}

// What every machine of a fleet writes down when a version has become the current one.
const BEGINNINGS: readonly string[] = [EVENTS.created, EVENTS.rotationCompleted, EVENTS.joined];

/**
 * Merges the logs of machines that share a secret. Each log keeps its own order. Between logs the versions decide:
 * what a machine did before it took over a version comes before all that any machine did after it took that over.
 * Within a version the clocks do, which may differ.
 *
 * @param logs rows of each machine in the order in which they were written.
 */
export function mergeLogs(logs: ReadonlyMap<string, readonly AuditRow[]>): MachineRow[] {
  const placed = [...logs].flatMap(([machine, rows], log) => {
    let [version, time] = [0, ""];
    return rows.map((row) => {
      const begins = row.location === "etcd" && BEGINNINGS.includes(row.event) &&
        (row.version ?? 0) > version;
      if (begins) [version, time] = [row.version!, row.time];
      // A clock that was set back does not change the order of one log.
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

const PART = 1_000;

/** Which audit rows to list; what is not given does not matter. */
interface AuditFilter {
  /** Parts of the event's text, of which it has one; case does not matter. */
  readonly event?: readonly string[] | undefined;
  /** Versions, of which it is one. */
  readonly version?: readonly number[] | undefined;
  /** Actors, of whom it is one. */
  readonly actor?: readonly string[] | undefined;
  /** Not before this instant, milliseconds since the epoch. */
  readonly since?: number | undefined;
  /** Before this instant, milliseconds since the epoch. */
  readonly until?: number | undefined;
  /** Only rows with a smaller number: the page before. */
  readonly before?: number | undefined;
}

/** The newest `limit` audit rows that pass the filter, oldest of them first. */
export function listAudit(sql: Sql, limit: number, filter: AuditFilter = {}): AuditRow[] {
  const { event, version, actor, since, until, before } = filter;
  const conditions: [string, readonly SqlValue[]][] = [
    ["instr(lower(event), lower(?)) > 0", event ?? []],
    ["version = ?", version ?? []],
    ["actor = ?", actor ?? []],
    ["time >= ?", since === undefined ? [] : [rfc3339(since)]],
    ["time < ?", until === undefined ? [] : [rfc3339(until)]],
    ["seq < ?", before === undefined ? [] : [before]],
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

/** Every audit row, oldest first, without holding more than a part of them. */
export function* everyAuditRow(sql: Sql): Generator<AuditRow> {
  const next = sql.prepare(
    `SELECT ${COLUMNS} FROM rekey_audit WHERE seq > ? ORDER BY seq LIMIT ${PART}`,
  );
  // From the smallest number on: a forged row may have one below 1.
  for (let last = Number.MIN_SAFE_INTEGER;;) {
    const rows = next.all(last) as unknown as AuditRow[];
    for (const row of rows) yield { ...row };
    if (rows.length < PART) return;
    last = rows.at(-1)!.seq;
  }
}

/** When the last rotation was completed, RFC 3339; `null` when there was none. */
export function lastRotation(sql: Sql): string | null {
  const row = sql.prepare(
    "SELECT time FROM rekey_audit WHERE event = ? ORDER BY seq DESC LIMIT 1",
  ).get(EVENTS.rotationCompleted) as { time: string } | undefined;
  return row?.time ?? null;
}
