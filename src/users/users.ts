import type { Sql } from "../core/sql.ts";

/** A user who can log in. Times are milliseconds since the epoch. */
export interface User {
  readonly name: string;
  /** Hash of the password, in the PHC string format. */
  readonly password: string;
  readonly created_at: number;
  /** When the password was set. */
  readonly changed_at: number;
}

/** The rows of `rekey_users`. Methods that change rows belong inside a transaction. */
export class Users {
  constructor(private readonly sql: Sql) {}

  find(name: string): User | undefined {
    return this.sql.prepare("SELECT * FROM rekey_users WHERE name = ?").get(name) as
      | User
      | undefined;
  }

  /** Names with characters beyond ASCII: the others can be written in one way only. */
  beyondAscii(): string[] {
    return this.sql.prepare("SELECT name FROM rekey_users WHERE name GLOB '*[^ -~]*'").all()
      .map(({ name }) => String(name));
  }

  /** The first users in the order of their names, or the first after a name. */
  list(limit: number, after = ""): User[] {
    const rows = this.sql.prepare("SELECT * FROM rekey_users WHERE name > ? ORDER BY name LIMIT ?")
      .all(after, limit);
    return rows as unknown as User[];
  }

  /** Answers whether the name was free. */
  add(name: string, password: string, now: number): boolean {
    return this.sql.prepare(
      `INSERT INTO rekey_users (name, password, created_at, changed_at) VALUES (?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
    ).run(name, password, now, now) > 0;
  }

  /** Answers whether there is such a user. */
  setPassword(name: string, password: string, now: number): boolean {
    return this.sql.prepare("UPDATE rekey_users SET password = ?, changed_at = ? WHERE name = ?")
      .run(password, now, name) > 0;
  }

  /** The same password under other parameters. */
  rehash(name: string, from: string, to: string): void {
    this.sql.prepare("UPDATE rekey_users SET password = ? WHERE name = ? AND password = ?")
      .run(to, name, from);
  }

  remove(name: string): boolean {
    return this.sql.prepare("DELETE FROM rekey_users WHERE name = ?").run(name) > 0;
  }
}
