import type { Sql } from "../../core/sql.ts";

/** `expires_at` of the session of a token that never expires by itself. */
export const NEVER = Number.MAX_SAFE_INTEGER;

/** A row of `rekey_sessions`: a token that rekey issued or revoked. Times are milliseconds since the epoch. */
export interface Session {
  readonly jti: string;
  readonly version: number;
  readonly sub: string;
  readonly issued_at: number;
  readonly expires_at: number;
  readonly revoked_at: number | null;
}

/** Whether the session of a token was revoked. */
export function isRevoked(sql: Sql, jti: string): boolean {
  const row = sql.prepare("SELECT revoked_at FROM rekey_sessions WHERE jti = ?").get(jti);
  return row?.revoked_at != null;
}

/** Inside a transaction: records a revoked session, whether it is known here or not. */
export function takeEnded(sql: Sql, session: Session): void {
  const { jti, version, sub, issued_at, expires_at, revoked_at } = session;
  sql.prepare(
    `INSERT INTO rekey_sessions (jti, version, sub, issued_at, expires_at, revoked_at)
     VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (jti) DO UPDATE SET revoked_at = coalesce(revoked_at, excluded.revoked_at)`,
  ).run(jti, version, sub, issued_at, expires_at, revoked_at);
}

/** Revoked sessions that have not expired at `now`, in milliseconds, and whose version still verifies. */
export function endedSessions(sql: Sql, now: number): Session[] {
  const rows = sql.prepare(
    `SELECT * FROM rekey_sessions WHERE revoked_at IS NOT NULL AND expires_at > ?
     AND version IN (SELECT version FROM rekey_versions WHERE state <> 'retired')`,
  ).all(now);
  return rows as unknown as Session[];
}
