import type { Sql } from "../core/sql.ts";
import type { Session } from "../store/sqlite/ended_sessions.ts";

const KEPT_MS = 30 * 86_400_000;
const PRUNED_PER_INSERT = 100;

/** The rows of `rekey_sessions`. A rotation does not change them: a session ends with its version. */
export class Sessions {
  constructor(private readonly sql: Sql) {}

  /** Adds a session, and deletes some that expired more than 30 days ago. */
  add({ jti, version, sub, issued_at, expires_at }: Omit<Session, "revoked_at">): void {
    this.sql.prepare(
      `DELETE FROM rekey_sessions WHERE jti IN
         (SELECT jti FROM rekey_sessions WHERE expires_at < ? LIMIT ${PRUNED_PER_INSERT})`,
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

  /** Whether a subject has any session, whatever its state. */
  has(sub: string): boolean {
    return this.sql.prepare("SELECT 1 FROM rekey_sessions WHERE sub = ? LIMIT 1").get(sub) !==
      undefined;
  }

  /** Revokes a session; one that was revoked before keeps its time. @returns whether it was open. */
  revoke(jti: string, now: number): boolean {
    return this.sql.prepare(
      "UPDATE rekey_sessions SET revoked_at = ? WHERE jti = ? AND revoked_at IS NULL",
    ).run(now, jti) > 0;
  }

  /** Revokes every session of a subject. Expired ones are revoked too: a verifier with a leeway may still accept them. */
  revokeAll(sub: string, now: number): void {
    this.sql.prepare(
      "UPDATE rekey_sessions SET revoked_at = ? WHERE sub = ? AND revoked_at IS NULL",
    ).run(now, sub);
  }

  /** The newest open sessions; with `subs`, only of these subjects. */
  list(limit: number, now: number, subs: readonly string[] = []): Session[] {
    const theirs = subs.length === 0 ? "" : `AND sub IN (${subs.map(() => "?").join(", ")})`;
    // Found in an index alone: there may be a million expired ones among them.
    const rows = this.sql.prepare(
      `SELECT * FROM rekey_sessions WHERE jti IN
         (SELECT jti FROM rekey_sessions WHERE revoked_at IS NULL AND expires_at > ? ${theirs}
          ORDER BY issued_at DESC LIMIT ?)
       ORDER BY issued_at DESC`,
    ).all(now, ...subs, limit);
    return rows as unknown as Session[];
  }

  /** Every session of a subject that was not revoked and has not expired, whatever its version. */
  open(sub: string, now: number): Session[] {
    const rows = this.sql.prepare(
      "SELECT * FROM rekey_sessions WHERE sub = ? AND revoked_at IS NULL AND expires_at > ?",
    ).all(sub, now);
    return rows as unknown as Session[];
  }

  /** Every revoked session of some subjects that has not expired. Reads all sessions. */
  endedOf(subs: readonly string[], now: number): Session[] {
    // The plus keeps SQLite from finding those in an index first, and looking up each one's row.
    const rows = this.sql.prepare(
      `SELECT * FROM rekey_sessions
       WHERE sub IN (${subs.map(() => "?")}) AND revoked_at IS NOT NULL AND +expires_at > ?`,
    ).all(...subs, now);
    return rows as unknown as Session[];
  }

  /** Every revoked session. Reads all sessions, since to look up the row of each entry of an index may take longer. */
  revoked(): Session[] {
    const rows = this.sql.prepare("SELECT * FROM rekey_sessions WHERE +revoked_at IS NOT NULL")
      .all();
    return rows as unknown as Session[];
  }

  /** When the last session of a version expires; `null` if there is none. */
  lastExpiry(version: number): number | null {
    const row = this.sql.prepare(
      "SELECT max(expires_at) AS last FROM rekey_sessions WHERE version = ? AND revoked_at IS NULL",
    ).get(version) as { last: number | null };
    return row.last;
  }

  /** How many sessions of a version are open at `now`; counts at most `limit`. */
  activeCount(version: number, now: number, limit: number): number {
    const row = this.sql.prepare(
      `SELECT count(*) AS n FROM (SELECT 1 FROM rekey_sessions
       WHERE version = ? AND revoked_at IS NULL AND expires_at > ? LIMIT ?)`,
    ).get(version, now, limit) as { n: number };
    return row.n;
  }
}
