import type { Sql } from "../../core/sql.ts";

/** A row of `rekey_sessions`. Times are milliseconds since the epoch. */
export interface SessionRow {
  readonly jti: string;
  readonly version: number;
  readonly sub: string;
  readonly issued_at: number;
  readonly expires_at: number;
  readonly revoked_at: number | null;
}

/** Inside a transaction: records a revoked session of another database, whether this one has it or not. */
export function takeEnded(sql: Sql, session: SessionRow): void {
  const { jti, version, sub, issued_at, expires_at, revoked_at } = session;
  sql.prepare(
    `INSERT INTO rekey_sessions (jti, version, sub, issued_at, expires_at, revoked_at)
     VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (jti) DO UPDATE SET revoked_at = coalesce(revoked_at, excluded.revoked_at)`,
  ).run(jti, version, sub, issued_at, expires_at, revoked_at);
}

/** Revoked sessions that have not expired. @param now milliseconds since the epoch. */
export function endedSessions(sql: Sql, now: number): SessionRow[] {
  const rows = sql.prepare(
    `SELECT * FROM rekey_sessions WHERE revoked_at IS NOT NULL AND expires_at > ?
     AND version IN (SELECT version FROM rekey_versions WHERE state <> 'retired')`,
  ).all(now);
  return rows as unknown as SessionRow[];
}

/** A token that rekey issued. */
export type Session = SessionRow;

const KEPT_MS = 30 * 86_400_000;
const PRUNED_AT_ONCE = 100;

/** The rows of `rekey_sessions`. A rotation does not touch them: a session ends with its version. */
export class Sessions {
  constructor(private readonly sql: Sql) {}

  /** Adds a session, and deletes some that expired more than 30 days ago. */
  add({ jti, version, sub, issued_at, expires_at }: Omit<Session, "revoked_at">): void {
    this.sql.prepare(
      `DELETE FROM rekey_sessions WHERE jti IN
         (SELECT jti FROM rekey_sessions WHERE expires_at < ? LIMIT ${PRUNED_AT_ONCE})`,
    ).run(issued_at - KEPT_MS);
    this.sql.prepare(
      "INSERT INTO rekey_sessions (jti, version, sub, issued_at, expires_at) VALUES (?, ?, ?, ?, ?)",
    ).run(jti, version, sub, issued_at, expires_at);
  }

  find(jti: string): Session | undefined {
    return this.sql.prepare("SELECT * FROM rekey_sessions WHERE jti = ?").get(jti) as
      | Session
      | undefined;
  }

  /** See {@linkcode takeEnded}. */
  takeRevoked(session: Session): void {
    takeEnded(this.sql, session);
  }

  /** Revokes a session. Returns whether it was not revoked before. */
  revoke(jti: string, now: number): boolean {
    return this.sql.prepare(
      "UPDATE rekey_sessions SET revoked_at = ? WHERE jti = ? AND revoked_at IS NULL",
    ).run(now, jti) > 0;
  }

  /**
   * Revokes every session of one subject. Returns how many were open. Expired sessions are revoked too: a verifier with
   * a leeway may still accept them.
   */
  revokeAll(sub: string, now: number): number {
    const { open } = this.sql.prepare(
      `SELECT count(*) AS open FROM rekey_sessions
       WHERE sub = ? AND revoked_at IS NULL AND expires_at > ?`,
    ).get(sub, now) as { open: number };
    this.sql.prepare(
      "UPDATE rekey_sessions SET revoked_at = ? WHERE sub = ? AND revoked_at IS NULL",
    ).run(now, sub);
    return open;
  }

  /** The newest open sessions, of the given subjects or of all. */
  list(limit: number, now: number, subs: readonly string[] = []): Session[] {
    const theirs = subs.length === 0 ? "" : `AND sub IN (${subs.map(() => "?").join(", ")})`;
    const rows = this.sql.prepare(
      `SELECT * FROM rekey_sessions
       WHERE revoked_at IS NULL AND expires_at > ? ${theirs}
       ORDER BY issued_at DESC LIMIT ?`,
    ).all(now, ...subs, limit);
    return rows as unknown as Session[];
  }

  /** The open sessions of one subject. */
  open(sub: string, now: number): Session[] {
    const rows = this.sql.prepare(
      "SELECT * FROM rekey_sessions WHERE sub = ? AND revoked_at IS NULL AND expires_at > ?",
    ).all(sub, now);
    return rows as unknown as Session[];
  }

  /** The revoked sessions of one subject that have not expired. */
  endedOf(sub: string, now: number): Session[] {
    const rows = this.sql.prepare(
      "SELECT * FROM rekey_sessions WHERE sub = ? AND revoked_at IS NOT NULL AND expires_at > ?",
    ).all(sub, now);
    return rows as unknown as Session[];
  }

  /** All revoked sessions. */
  revoked(): Session[] {
    const rows = this.sql.prepare("SELECT * FROM rekey_sessions WHERE revoked_at IS NOT NULL")
      .all();
    return rows as unknown as Session[];
  }

  /** When the last session of one version expires; `null` when it has none. */
  lastExpiry(version: number): number | null {
    const row = this.sql.prepare(
      "SELECT max(expires_at) AS last FROM rekey_sessions WHERE version = ? AND revoked_at IS NULL",
    ).get(version) as { last: number | null };
    return row.last;
  }

  /** How many sessions of one version are valid at `now`; at most `limit` of them are counted. */
  activeCount(version: number, now: number, limit: number): number {
    const row = this.sql.prepare(
      `SELECT count(*) AS n FROM (SELECT 1 FROM rekey_sessions
       WHERE version = ? AND revoked_at IS NULL AND expires_at > ? LIMIT ?)`,
    ).get(version, now, limit) as { n: number };
    return row.n;
  }
}
