import { type AuditRow, EVENTS } from "./events.ts";
import type { Sql } from "../core/sql.ts";

const COLUMNS = "seq, time, event, version, kid, location, duration, actor, reason, hash";

const PART = 1_000;

/** The newest `limit` audit rows, oldest of them first. */
export function listAudit(sql: Sql, limit: number): AuditRow[] {
  const rows = sql.prepare(
    `SELECT * FROM (SELECT ${COLUMNS} FROM rekey_audit ORDER BY seq DESC LIMIT ?) ORDER BY seq`,
  ).all(limit);
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

/**
 * Share of retrievals of a secret in the keyring that its sealed copy in the database had to answer,
 * from 0 to 1; `null` before the first retrieval of all. The guide asks to investigate when it rises.
 */
export function fallbackRate(sql: Sql): number | null {
  const rows = sql.prepare(
    "SELECT event, home, count FROM rekey_audit_counts WHERE event IN (?, ?)",
  ).all(EVENTS.retrievedFromKeyring, EVENTS.retrievedFromDatabase);
  const sum = (some: typeof rows) => some.reduce((total, { count }) => total + Number(count), 0);
  const fallbacks = rows.filter(({ event, home }) =>
    event === EVENTS.retrievedFromDatabase && home === "keyring"
  );
  return rows.length === 0 ? null : sum(fallbacks) / sum(rows);
}

/** When the last rotation was completed, RFC 3339; `null` when there was none. */
export function lastRotation(sql: Sql): string | null {
  const row = sql.prepare(
    "SELECT time FROM rekey_audit WHERE event = ? ORDER BY seq DESC LIMIT 1",
  ).get(EVENTS.rotationCompleted) as { time: string } | undefined;
  return row?.time ?? null;
}
