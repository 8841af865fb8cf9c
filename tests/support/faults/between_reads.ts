import { AuditWriter } from "../../../src/audit/chain.ts";
import { EVENTS } from "../../../src/audit/events.ts";
import type { Statement } from "../../../src/core/sql.ts";
import type { Installation } from "../../../src/store/installation.ts";
import { Database } from "../../../src/store/sqlite/database.ts";
import { Meta } from "../../../src/store/sqlite/meta.ts";
import { Versions } from "../../../src/store/sqlite/versions.ts";
import { Sessions } from "../../../src/users/sessions.ts";

/**
 * Commits, in a connection of its own, the rotation of a pending version whose value is in the database.
 *
 * @param graceUntil milliseconds since the epoch; `null`: the version before it ends, and its value is destroyed.
 * @param more is done in the same transaction.
 */
export function commitRotation(
  { database: { path }, auditKey, environment: { clock } }: Installation,
  graceUntil: number | null,
  more: (other: Database) => void = () => {},
): void {
  const other = Database.open(path);
  const audit = new AuditWriter(other, auditKey.known!, "another process", clock);
  try {
    const versions = new Versions(other);
    other.transaction(() => {
      const [old, next] = [versions.current()!, versions.pending()!];
      if (graceUntil === null) versions.retire(old, clock());
      else versions.supersede(old, graceUntil);
      versions.activate(next, clock());
      moveValues(other, old.version, next.version, graceUntil !== null);
      new Meta(other).set("alg", next.alg);
      new Meta(other).set("key_form", next.key_form);
      const { version, kid, location } = next;
      audit.append({ event: EVENTS.rotationCompleted, version, kid, location });
      more(other);
    });
  } finally {
    other.close();
  }
}

function moveValues(other: Database, old: number, next: number, isKept: boolean): void {
  const rename = other.prepare("UPDATE settings SET key = ? WHERE key = ?");
  if (isKept) rename.run(`jwt_secret.v${old}`, "jwt_secret");
  else other.prepare("DELETE FROM settings WHERE key = 'jwt_secret'").run();
  rename.run("jwt_secret", `jwt_secret.v${next}`);
}

/** Adds an open session of the current version. */
export function openSession(database: Database, jti: string, issued_at: number): void {
  const { version } = new Versions(database).current()!;
  const session = { jti, version, sub: "alice", issued_at, expires_at: issued_at + 3_600_000 };
  new Sessions(database).add(session);
}

/** What {@linkcode betweenReads} returns. */
interface Read<T> {
  readonly result: T;
  /** Whether so many queries were made. */
  readonly reached: boolean;
}

/**
 * Runs `work`, and `between` once, right after this process's databases have answered the given number of queries outside of
 * transactions that write.
 *
 * @param at from 1.
 * @returns what `work` returns, and whether it made so many queries.
 */
export function betweenReads<T>(at: number, between: () => void, work: () => T): Read<T> {
  const count = new Count(at, between);
  try {
    return { result: work(), reached: count.isReached };
  } finally {
    count.end();
  }
}

/** {@linkcode betweenReads} for work that waits in between. */
export async function betweenReadsOf<T>(
  at: number,
  between: () => void,
  work: () => Promise<T>,
): Promise<Read<T>> {
  const count = new Count(at, between);
  try {
    const result = await work();
    return { result, reached: count.isReached };
  } finally {
    count.end();
  }
}

// What a writer reads does not count: no one else commits in between.
class Count {
  readonly #prepare = Database.prototype.prepare;
  readonly #transaction = Database.prototype.transaction;
  #queries = 0;
  #isPaused = false;

  constructor(private readonly at: number, private readonly between: () => void) {
    // deno-lint-ignore no-this-alias
    const count = this;
    Database.prototype.prepare = function (sql: string): Statement {
      const statement = count.#prepare.call(this, sql);
      return {
        ...statement,
        get: (...values) => count.#counted(statement.get(...values)),
        all: (...values) => count.#counted(statement.all(...values)),
      };
    };
    Database.prototype.transaction = function <T>(...args: Parameters<typeof this.transaction<T>>) {
      const before = count.#isPaused;
      count.#isPaused = true;
      try {
        return count.#transaction.apply(this, args) as T;
      } finally {
        count.#isPaused = before;
      }
    };
  }

  get isReached(): boolean {
    return this.#queries >= this.at;
  }

  end(): void {
    Database.prototype.prepare = this.#prepare;
    Database.prototype.transaction = this.#transaction;
  }

  #counted<R>(answer: R): R {
    if (this.#isPaused || ++this.#queries !== this.at) return answer;
    this.#isPaused = true;
    this.between();
    this.#isPaused = false;
    return answer;
  }
}
