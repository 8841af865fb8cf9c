import { type AuditRow, EVENTS } from "./events.ts";
import type { Sql } from "../core/sql.ts";

const COLUMNS = "seq, time, event, version, kid, location, duration, actor, reason, hash";

/** The newest `limit` audit rows, oldest of them first. */
export function listAudit(sql: Sql, limit: number): AuditRow[] {
  const rows = sql.prepare(
    `SELECT * FROM (SELECT ${COLUMNS} FROM rekey_audit ORDER BY seq DESC LIMIT ?) ORDER BY seq`,
  ).all(limit);
  return rows.map((row) => ({ ...row }) as unknown as AuditRow);
}

/**
 * Share of retrievals that the database answered, from 0 to 1; `null` before the first retrieval.
 * The guide asks to investigate when it rises.
 */
export function fallbackRate(sql: Sql): number | null {
  const database = eventCount(sql, EVENTS.retrievedFromDatabase);
  const all = database + eventCount(sql, EVENTS.retrievedFromKeyring);
  return all === 0 ? null : database / all;
}

function eventCount(sql: Sql, event: string): number {
  const row = sql.prepare("SELECT sum(count) AS n FROM rekey_audit_counts WHERE event = ?")
    .get(event) as { n: number | null };
  return row.n ?? 0;
}

/** When the last rotation was completed, RFC 3339; `null` when there was none. */
export function lastRotation(sql: Sql): string | null {
  const row = sql.prepare(
    "SELECT time FROM rekey_audit WHERE event = ? ORDER BY seq DESC LIMIT 1",
  ).get(EVENTS.rotationCompleted) as { time: string } | undefined;
  return row?.time ?? null;
}
