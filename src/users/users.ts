import type { Sql } from "../core/sql.ts";

/** A user who can log in. Times are milliseconds since the epoch. */
export interface User {
  readonly name: string;
  /** Hash of the password, in the PHC string format. */
  readonly password: string;
  readonly created_at: number;
  /** When the password was set. */
  readonly changed_at: number;
  /** What their logins' tokens say besides, as a JSON object; `null` for nothing. */
  readonly claims: string | null;
}

/** The rows of `rekey_users`. Methods that change rows belong inside a transaction. */
export class Users {
  constructor(private readonly sql: Sql) {}

  find(name: string): User | undefined {
    return this.sql.prepare("SELECT * FROM rekey_users WHERE name = ?").get(name) as
      | User
      | undefined;
  }

  /** Names with characters beyond ASCII, which have more than one spelling. */
  beyondAscii(): string[] {
    return this.sql.prepare("SELECT name FROM rekey_users WHERE name GLOB '*[^ -~]*'").all()
      .map(({ name }) => String(name));
  }

  /** The first `limit` users by name, starting after the name `after`. */
  list(limit: number, after = ""): User[] {
    const rows = this.sql.prepare("SELECT * FROM rekey_users WHERE name > ? ORDER BY name LIMIT ?")
      .all(after, limit);
    return rows as unknown as User[];
  }

  /** @returns whether the name was free. */
  add(name: string, password: string, now: number): boolean {
    return this.sql.prepare(
      `INSERT INTO rekey_users (name, password, created_at, changed_at) VALUES (?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
    ).run(name, password, now, now) > 0;
  }

  /** @returns whether the user exists. */
  setPassword(name: string, password: string, now: number): boolean {
    return this.sql.prepare("UPDATE rekey_users SET password = ?, changed_at = ? WHERE name = ?")
      .run(password, now, name) > 0;
  }

  /** @returns whether the user exists. */
  setClaims(name: string, claims: string | null): boolean {
    return this.sql.prepare("UPDATE rekey_users SET claims = ? WHERE name = ?")
      .run(claims, name) > 0;
  }

  /** Replaces the hash of an unchanged password, for new parameters. */
  rehash(name: string, from: string, to: string): void {
    this.sql.prepare("UPDATE rekey_users SET password = ? WHERE name = ? AND password = ?")
      .run(to, name, from);
  }

  /** @returns whether the user existed. */
  remove(name: string): boolean {
    return this.sql.prepare("DELETE FROM rekey_users WHERE name = ?").run(name) > 0;
  }
}
