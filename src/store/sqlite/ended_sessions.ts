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

// A look into the database takes about 3 µs. After so many it is worth reading all that were revoked,
const LOOKS = 1_000;
// if they are so many at most: then reading them takes as long as those looks.
const MOST_KEPT = 10_000;

/** Tells which sessions were revoked. Those that it has read count until the next commit. */
export class EndedSessions {
  #looks = 0;
  // `undefined` as long as there were few looks, and where more were revoked than are kept.
  #kept: { readonly all: ReadonlySet<string>; readonly change: string } | undefined;

  /** @param change differs after every commit. */
  constructor(private readonly sql: Sql, private readonly change: () => string) {}

  /** Whether the session of a token is revoked now, even if the token has waited for its key since the last look. */
  has(jti: string): boolean {
    if (this.#kept?.change === this.change()) return this.#kept.all.has(jti);
    this.#looks++;
    if (this.#looks === LOOKS) this.#keep();
    const row = this.sql.prepare("SELECT revoked_at FROM rekey_sessions WHERE jti = ?").get(jti);
    return row?.revoked_at != null;
  }

  #keep(): void {
    // Before the rows are read: after a commit in between they count as old.
    const change = this.change();
    const rows = this.sql.prepareArrays(
      `SELECT jti FROM rekey_sessions WHERE revoked_at IS NOT NULL LIMIT ${MOST_KEPT + 1}`,
    ).all();
    if (rows.length > MOST_KEPT) return;
    this.#kept = { all: new Set(rows.map(([jti]) => jti as string)), change };
  }
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

/**
 * Revoked sessions that have not expired at `now`, in milliseconds, and whose version still verifies. Reads all sessions.
 */
export function endedSessions(sql: Sql, now: number): Session[] {
  // The pluses keep SQLite from finding those in an index first, and looking up each one's row.
  const rows = sql.prepare(
    `SELECT * FROM rekey_sessions WHERE +revoked_at IS NOT NULL AND +expires_at > ?
     AND version IN (SELECT version FROM rekey_versions WHERE state <> 'retired')`,
  ).all(now);
  return rows as unknown as Session[];
}
