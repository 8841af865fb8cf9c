import type { Sql } from "../core/sql.ts";

/** A row of `rekey_sessions`. Times are milliseconds since the epoch. */
export interface SessionRow {
  readonly jti: string;
  readonly version: number;
  readonly sub: string;
  readonly issued_at: number;
  readonly expires_at: number;
  readonly revoked_at: number | null;
}

/** Takes over, inside a transaction, a session that was ended before its time, known here or not. */
export function takeEnded(sql: Sql, session: SessionRow): void {
  const { jti, version, sub, issued_at, expires_at, revoked_at } = session;
  sql.prepare(
    `INSERT INTO rekey_sessions (jti, version, sub, issued_at, expires_at, revoked_at)
     VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (jti) DO UPDATE SET revoked_at = coalesce(revoked_at, excluded.revoked_at)`,
  ).run(jti, version, sub, issued_at, expires_at, revoked_at);
}

/** Sessions that were ended before their time, and would still count: at a moment in milliseconds since the epoch. */
export function endedSessions(sql: Sql, now: number): SessionRow[] {
  const rows = sql.prepare(
    `SELECT * FROM rekey_sessions WHERE revoked_at IS NOT NULL AND expires_at > ?
     AND version IN (SELECT version FROM rekey_versions WHERE state <> 'retired')`,
  ).all(now);
  return rows as unknown as SessionRow[];
}
