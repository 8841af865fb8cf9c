import type { Sql } from "../core/sql.ts";

/** What failed logins are counted by. */
export type ThrottleKind = "user" | "address";

// So many failures cost nothing; each one after them doubles the wait, up to the longest.
const FREE: Record<ThrottleKind, number> = { user: 5, address: 20 };
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15 * 60_000;
// After so long without a failure the count begins again.
const FORGOTTEN_MS = 60 * 60_000;

/**
 * Slows down who guesses passwords, by user and by address. The counts are in the database, so a restart
 * forgives nothing. Methods that change rows belong inside a transaction.
 */
export class Throttle {
  constructor(private readonly sql: Sql) {}

  /** How long the next attempt has to wait, in milliseconds; 0 when it need not. */
  wait(kind: ThrottleKind, name: string, now: number): number {
    const row = this.#row(kind, name);
    if (row === undefined || isForgotten(row.last_at, now)) return 0;
    const beyond = row.failures - FREE[kind];
    if (beyond < 0) return 0;
    const wait = Math.min(FIRST_WAIT_MS * 2 ** Math.min(beyond, 30), LONGEST_WAIT_MS);
    return Math.min(Math.max(row.last_at + wait - now, 0), wait);
  }

  /** Counts an attempt as failed; one that turns out well is taken back. */
  count(kind: ThrottleKind, name: string, now: number): void {
    const row = this.#row(kind, name);
    const before = row === undefined || isForgotten(row.last_at, now) ? 0 : row.failures;
    this.sql.prepare(
      `INSERT INTO rekey_throttle (kind, name, failures, last_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (kind, name) DO UPDATE SET failures = excluded.failures, last_at = excluded.last_at`,
    ).run(kind, name, before + 1, now);
    // Names that somebody made up must not pile up.
    this.sql.prepare("DELETE FROM rekey_throttle WHERE last_at < ? OR last_at > ?")
      .run(now - FORGOTTEN_MS, now + LONGEST_WAIT_MS);
  }

  /** Takes one attempt back: who has an account must not clear an address for guessing at others. */
  takeBack(kind: ThrottleKind, name: string): void {
    this.sql.prepare(
      "UPDATE rekey_throttle SET failures = failures - 1 WHERE kind = ? AND name = ? AND failures > 0",
    ).run(kind, name);
  }

  /** Forgets every failure: the right password was given. */
  clear(kind: ThrottleKind, name: string): void {
    this.sql.prepare("DELETE FROM rekey_throttle WHERE kind = ? AND name = ?").run(kind, name);
  }

  #row(kind: ThrottleKind, name: string): { failures: number; last_at: number } | undefined {
    return this.sql.prepare(
      "SELECT failures, last_at FROM rekey_throttle WHERE kind = ? AND name = ?",
    ).get(kind, name) as { failures: number; last_at: number } | undefined;
  }
}

function isForgotten(lastAt: number, now: number): boolean {
  // A last failure in the future means that the clock was set back: it must not lock out for ever.
  return now - lastAt > FORGOTTEN_MS || lastAt - now > LONGEST_WAIT_MS;
}
