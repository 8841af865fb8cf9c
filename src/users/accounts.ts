import { EVENTS } from "../audit/events.ts";
import { RekeyError, usageError } from "../core/errors.ts";
import type { Sql } from "../core/sql.ts";
import { verifyingNumbers } from "../secret/grace.ts";
import type { SecretManager } from "../secret/manager.ts";
import { textOf } from "../jwt/claims.ts";
import {
  checkedName,
  commonName,
  isTaken,
  LONGEST_NAME,
  namedUser,
  preparedName,
  subjectsOf,
} from "./names.ts";
import { changeUsers, knownUser, mustBeKnown, unknownUser } from "./change.ts";
import { endAllOf } from "./end_sessions.ts";
import { hashPassword, USUAL_COST, verifyPassword } from "./passwords.ts";
import { NEVER, type Session, takeEnded } from "../store/sqlite/ended_sessions.ts";
import { Sessions } from "./sessions.ts";
import { Throttle, type ThrottleKind } from "./throttle.ts";
import { type User, Users } from "./users.ts";
import type { Verified } from "../jwt/verifier.ts";

/** What a user sends to log in. */
export interface Credentials {
  readonly name: string;
  readonly password: string;
  /** The client's IP address, if known. */
  readonly address?: string | undefined;
}

/** Users with their passwords and sessions. A new password ends all sessions of its user. */
export class Accounts {
  /** @param cost of the hashes of passwords; less than usual is for tests only. */
  constructor(private readonly secrets: SecretManager, private readonly cost = USUAL_COST) {}

  /**
   * @returns the name as stored.
   * @throws {RekeyError} `usage` for an invalid name or password, `failed` when the name is taken.
   */
  async add(name: string, password: string): Promise<string> {
    const checked = checkedName(name);
    const hash = await hashPassword(password, this.cost);
    await changeUsers(
      this.secrets,
      ({ database }, now) => {
        const users = new Users(database);
        if (isTaken(users, checked) || !users.add(checked, hash, now)) {
          throw new RekeyError("failed", "Cannot add the user: the name is taken", {
            hint: "`rekey user passwd` sets a new password",
          });
        }
      },
      EVENTS.userAdded,
      checked,
    );
    return checked;
  }

  /** The first `limit` users by name, starting after the name `after`. */
  async list(limit: number, after?: string): Promise<User[]> {
    return new Users((await this.secrets.open()).installation.database).list(limit, after);
  }

  /**
   * @returns the name as stored.
   * @throws {RekeyError} `usage` for an invalid password, `failed` for an unknown user, `etcd_…` when the other machines
   * of the fleet cannot be told; the error says what has changed.
   */
  async setPassword(name: string, password: string): Promise<string> {
    const hash = await hashPassword(password, this.cost);
    const known = await knownUser(this.secrets, name);
    await endAllOf(this.secrets, [known], EVENTS.passwordChanged, [known], ({ database }, now) => {
      if (!new Users(database).setPassword(known, hash, now)) throw unknownUser();
    });
    return known;
  }

  /** @throws {RekeyError} `failed` for an unknown user; `etcd_…` as {@linkcode setPassword} does. */
  async remove(name: string): Promise<string> {
    const known = await knownUser(this.secrets, name);
    await endAllOf(this.secrets, [known], EVENTS.userRemoved, [known], ({ database }) => {
      if (!new Users(database).remove(known)) throw unknownUser();
    });
    return known;
  }

  /**
   * Checks a name and a password. An unknown name and a wrong password take equally long and give the same error.
   *
   * @throws {RekeyError} `bad_credentials`, or `throttled` after too many failures.
   */
  async authenticate({ name, password, address }: Credentials): Promise<User> {
    const { installation } = await this.secrets.open();
    const { database } = installation;
    const users = new Users(database);
    // All spellings of a name count together. The limit keeps rows of impossible names short.
    const countedAs = commonName(users, name).slice(0, 2 * LONGEST_NAME);
    const counted: [ThrottleKind, string][] = [["user", countedAs]];
    if (address !== undefined) counted.push(["address", address]);
    // Counted before the password is checked, so that parallel attempts count each other.
    database.transaction(() => new Throttle(database).attempt(counted, installation.now()));
    const user = namedUser(users, name);
    const { right, outdated } = await verifyPassword(password, user?.password, this.cost);
    if (user === undefined || !right) throw badCredentials();
    const rehashed = outdated ? await hashPassword(password, this.cost) : undefined;
    database.transaction(() => {
      const throttle = new Throttle(database);
      throttle.clear("user", countedAs);
      if (address !== undefined) throttle.takeBack("address", address);
      if (rehashed !== undefined) users.rehash(user.name, user.password, rehashed);
    });
    return { ...user, password: rehashed ?? user.password };
  }

  /** The newest open sessions known to this machine; with `names`, only of these users. */
  async sessions(limit: number, names?: readonly string[]): Promise<Session[]> {
    const { installation } = await this.secrets.open();
    const { database } = installation;
    const subjects = await this.#subjects(names);
    return database.snapshot(() => {
      const verifying = verifyingNumbers(installation);
      return new Sessions(database).list(limit, installation.now(), subjects)
        .filter(({ version }) => verifying.has(version));
    });
  }

  /**
   * Ends one session, unless a rotation has ended it. In a fleet, the end of a session that has ended already is sent
   * again: some machines may not have heard of it.
   *
   * @throws {RekeyError} `failed` when no open session has this jti.
   */
  async endSession(jti: string): Promise<void> {
    const shared = await this.secrets.shareEnded(({ database }, now) => {
      const session = new Sessions(database).find(jti);
      return session === undefined ? [] : [{ ...session, revoked_at: session.revoked_at ?? now }];
    });
    await changeUsers(
      this.secrets,
      (installation, now) => {
        const sessions = new Sessions(installation.database);
        const verifies = verifyingNumbers(installation).has(sessions.find(jti)?.version ?? 0);
        // A server on this machine may have recorded it already.
        if (!(sessions.revoke(jti, now) && verifies) && shared === 0) {
          throw new RekeyError("failed", "Cannot end the session: no open session has that jti", {
            hint: "`rekey session list` shows the open sessions",
          });
        }
      },
      EVENTS.sessionsRevoked,
      `session ${jti}`,
    );
  }

  /**
   * Ends the session of a verified token, including tokens signed by other programs. Logging out is routine, so it adds
   * no audit row.
   *
   * @throws {RekeyError} `usage` when the token has no `jti`.
   */
  async logOut({ version, claims }: Verified): Promise<void> {
    const jti = textOf(claims.jti);
    if (jti === undefined) {
      throw usageError(
        "Cannot end the session: the token has no jti",
        "Have its issuer add a jti; without one, only a rotation ends it",
      );
    }
    const { installation } = await this.secrets.open();
    const { database } = installation;
    const now = installation.now();
    const session = {
      jti,
      version,
      sub: textOf(claims.sub) ?? "",
      issued_at: milliseconds(claims.iat) ?? now,
      expires_at: milliseconds(claims.exp) ?? NEVER,
      revoked_at: now,
    };
    await this.secrets.shareEnded(() => [session]);
    database.transaction(() => takeEnded(database, session));
  }

  /**
   * Ends every session of the given users in one transaction. The other machines also learn of sessions that ended here
   * before: telling them may have failed then.
   *
   * @returns how many were open; those that a rotation had ended were not.
   * @throws {RekeyError} `failed` when one of them is not known here: in an incident a misspelt name must not pass.
   */
  async endSessionsOf(users: readonly string[]): Promise<number> {
    await mustBeKnown(this.secrets, users);
    const names = (await this.#subjects(users))!;
    await this.secrets.shareEnded(({ database }, now) =>
      new Sessions(database).endedOf(names, now)
    );
    const reasons = [...new Set(users.map((name) => preparedName(name) ?? name))].map((name) =>
      `sessions of ${name}`
    );
    return await endAllOf(this.secrets, names, EVENTS.sessionsRevoked, reasons);
  }

  /** The `sub` claims that tokens of these users have. */
  async #subjects(names: readonly string[] | undefined): Promise<string[] | undefined> {
    const { database } = (await this.secrets.open()).installation;
    return names && [...new Set(names.flatMap((name) => subjectsOf(new Users(database), name)))];
  }
}

/**
 * The user as they are now.
 *
 * @throws {RekeyError} `bad_credentials` when the user was removed or has a new password since authentication.
 */
export function unchanged(sql: Sql, { name, password }: User): User {
  const user = new Users(sql).find(name);
  if (user?.password !== password) throw badCredentials();
  return user;
}

// The table takes integers; a NumericDate of a token may be any number.
function milliseconds(seconds: unknown): number | undefined {
  if (typeof seconds !== "number") return undefined;
  return Math.min(Math.ceil(Math.abs(seconds) * 1000), Number.MAX_SAFE_INTEGER);
}

function badCredentials(): RekeyError {
  return new RekeyError("bad_credentials", "Cannot log in: wrong name or password", {
    hint: "Check both; repeated failures make you wait",
  });
}
