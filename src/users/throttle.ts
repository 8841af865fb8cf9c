import { RekeyError } from "../core/errors.ts";
import type { Sql } from "../core/sql.ts";

/** What failed logins are counted by. */
export type ThrottleKind = "user" | "address";

// Failures without a wait; each failure after them doubles the wait, up to the longest.
const FREE: Record<ThrottleKind, number> = { user: 5, address: 20 };
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15 * 60_000;
// The count restarts after this long without a failure.
const FORGOTTEN_MS = 60 * 60_000;

/**
 * Slows down password guessing, by user and by address. The counts are in the database and survive a restart. Methods
 * that change rows belong inside a transaction.
 */
export class Throttle {
  constructor(private readonly sql: Sql) {}

  /**
   * Counts a login attempt as failed, for its user and its address; a successful one is taken back later.
   *
   * @throws {RekeyError} `throttled` when one of them still has to wait; nothing is counted then.
   */
  attempt(counted: readonly [ThrottleKind, string][], now: number): void {
    const wait = Math.max(...counted.map(([kind, name]) => this.wait(kind, name, now)));
    if (wait > 0) throw throttled(wait);
    for (const [kind, name] of counted) this.count(kind, name, now);
  }

  /** How long the next attempt has to wait, in milliseconds. */
  wait(kind: ThrottleKind, name: string, now: number): number {
    const row = this.#row(kind, name);
    if (row === undefined || isForgotten(row.last_at, now)) return 0;
    const beyond = row.failures - FREE[kind];
    if (beyond < 0) return 0;
    const wait = Math.min(FIRST_WAIT_MS * 2 ** Math.min(beyond, 30), LONGEST_WAIT_MS);
    return Math.min(Math.max(row.last_at + wait - now, 0), wait);
  }

  /** Counts one failed attempt. */
  count(kind: ThrottleKind, name: string, now: number): void {
    const row = this.#row(kind, name);
    const before = row === undefined || isForgotten(row.last_at, now) ? 0 : row.failures;
    this.sql.prepare(
      `INSERT INTO rekey_throttle (kind, name, failures, last_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (kind, name) DO UPDATE SET failures = excluded.failures, last_at = excluded.last_at`,
    ).run(kind, name, before + 1, now);
    // Rows of invented names must not accumulate. Two statements: for one with OR, SQLite reads all rows.
    this.sql.prepare("DELETE FROM rekey_throttle WHERE last_at < ?").run(now - FORGOTTEN_MS);
    this.sql.prepare("DELETE FROM rekey_throttle WHERE last_at > ?").run(now + LONGEST_WAIT_MS);
  }

  /** Takes one attempt back. An address is not cleared: a user's own login must not permit more guesses at others. */
  takeBack(kind: ThrottleKind, name: string): void {
    this.sql.prepare(
      "UPDATE rekey_throttle SET failures = failures - 1 WHERE kind = ? AND name = ? AND failures > 0",
    ).run(kind, name);
  }

  /** Forgets every failure, after a successful login. */
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
  // A last failure in the future means that the clock was set back: it must not lock the user out for ever.
  return now - lastAt > FORGOTTEN_MS || lastAt - now > LONGEST_WAIT_MS;
}

function throttled(waitMs: number): RekeyError {
  const seconds = Math.ceil(waitMs / 1000);
  return new RekeyError("throttled", `Cannot log in yet: too many failures, wait ${seconds} s`, {
    hint: "Wait and try again",
    retryAfter: seconds,
  });
}
