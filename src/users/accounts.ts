import { EVENTS } from "../audit/events.ts";
import { isRekeyError, RekeyError, usageError } from "../core/errors.ts";
import type { Sql } from "../core/sql.ts";
import { inGrace } from "../secret/grace.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Installation } from "../store/installation.ts";
import { textOf } from "../jwt/claims.ts";
import {
  commonName,
  isTaken,
  LONGEST_NAME,
  namedUser,
  preparedName,
  subjectsOf,
  usableName,
} from "./names.ts";
import { hashPassword, verifyPassword } from "./passwords.ts";
import { type Session, Sessions } from "../store/sqlite/sessions.ts";
import { Throttle, type ThrottleKind } from "./throttle.ts";
import { type User, Users } from "./users.ts";
import type { Verified } from "../jwt/verifier.ts";

/** What somebody gives to log in. */
export interface Credentials {
  readonly name: string;
  readonly password: string;
  /** Where they come from, if it is known. */
  readonly address?: string | undefined;
}

/** Users with their passwords and sessions. A changed password ends the sessions it had opened. */
export class Accounts {
  constructor(private readonly secrets: SecretManager) {}

  /**
   * @returns the name as it is stored.
   * @throws {RekeyError} `usage` for a name or password that cannot be used, `failed` when it is taken.
   */
  async add(name: string, password: string): Promise<string> {
    const checked = usableName(name);
    const hash = await hashPassword(password);
    await this.#change(
      ({ database }, now) => {
        const users = new Users(database);
        if (isTaken(users, checked) || !users.add(checked, hash, now)) throw taken();
      },
      EVENTS.userAdded,
      checked,
    );
    return checked;
  }

  /** The first users in the order of their names, or the first after a name. */
  async list(limit: number, after?: string): Promise<User[]> {
    return new Users((await this.secrets.open()).installation.database).list(limit, after);
  }

  /**
   * @returns the name as it is stored.
   * @throws {RekeyError} `usage` for a password that cannot be used, `failed` when there is no such user, `etcd_…` when
   * the machines that share the secret cannot be told: what was changed all the same, the error says.
   */
  async setPassword(name: string, password: string): Promise<string> {
    const hash = await hashPassword(password);
    const known = await this.#known(name);
    await this.#endAllOf([known], EVENTS.passwordChanged, [known], ({ database }, now) => {
      if (!new Users(database).setPassword(known, hash, now)) throw unknown();
    });
    return known;
  }

  /** @throws {RekeyError} `failed` when there is no such user; `etcd_…` as {@linkcode setPassword} does. */
  async remove(name: string): Promise<string> {
    const known = await this.#known(name);
    await this.#endAllOf([known], EVENTS.userRemoved, [known], ({ database }) => {
      if (!new Users(database).remove(known)) throw unknown();
    });
    return known;
  }

  /**
   * Checks a name and a password. It takes as long for an unknown name as for a wrong password, and says
   * the same.
   *
   * @throws {RekeyError} `bad_credentials`, or `throttled` after too many failures.
   */
  async authenticate({ name, password, address }: Credentials): Promise<User> {
    const { installation } = await this.secrets.open();
    const { database } = installation;
    const users = new Users(database);
    // However it is typed; and a name that no user can have is not worth a long row.
    const countedAs = commonName(users, name).slice(0, 2 * LONGEST_NAME);
    const counted: [ThrottleKind, string][] = [["user", countedAs]];
    if (address !== undefined) counted.push(["address", address]);
    // Counted before the password is looked at: attempts at the same time count each other.
    this.#count(installation, counted);
    const user = namedUser(users, name);
    const { right, outdated } = await verifyPassword(password, user?.password);
    if (user === undefined || !right) throw badCredentials();
    const rehashed = outdated ? await hashPassword(password) : undefined;
    database.transaction(() => {
      const throttle = new Throttle(database);
      throttle.clear("user", countedAs);
      if (address !== undefined) throttle.takeBack("address", address);
      if (rehashed !== undefined) users.rehash(user.name, user.password, rehashed);
    });
    return { ...user, password: rehashed ?? user.password };
  }

  /** The newest open sessions that this machine knows, of some users if names are given. */
  async sessions(limit: number, names?: readonly string[]): Promise<Session[]> {
    const { installation, version: current } = await this.secrets.open();
    const verifying = new Set([current, ...inGrace(installation)].map(({ version }) => version));
    const subjects = await this.#subjects(names);
    return new Sessions(installation.database).list(limit, installation.now(), subjects)
      .filter(({ version }) => verifying.has(version));
  }

  /**
   * Ends one session. One that has ended is told of again where machines share the secret: some may not have heard.
   *
   * @throws {RekeyError} `failed` when there is no such open session.
   */
  async endSession(jti: string): Promise<void> {
    const shared = await this.secrets.shareEnded(({ database }, now) => {
      const session = new Sessions(database).find(jti);
      return session === undefined ? [] : [{ ...session, revoked_at: session.revoked_at ?? now }];
    });
    await this.#change(
      ({ database }, now) => {
        // A server on this machine may have taken it over already.
        if (!new Sessions(database).revoke(jti, now) && shared === 0) throw noSession();
      },
      EVENTS.sessionsRevoked,
      `session ${jti}`,
    );
  }

  /**
   * Ends the session of a token that was verified, also of one that another program signed. It is its owner's
   * everyday doing, so the audit log is not told.
   *
   * @throws {RekeyError} `usage` when the token has no `jti` to know it by.
   */
  async logOut({ version, claims }: Verified): Promise<void> {
    const { sub, iat, exp } = claims;
    const jti = textOf(claims.jti);
    if (jti === undefined) throw noJti();
    const { installation } = await this.secrets.open();
    const { database } = installation;
    const now = installation.now();
    const session = {
      jti,
      version,
      sub: textOf(sub) ?? "",
      issued_at: milliseconds(iat) ?? now,
      expires_at: milliseconds(exp) ?? Number.MAX_SAFE_INTEGER,
      revoked_at: now,
    };
    await this.secrets.shareEnded(() => [session]);
    database.transaction(() => new Sessions(database).takeRevoked(session));
  }

  /**
   * Ends every session of some users, of all of them or of none, and answers how many that were. Others are told of
   * those that have ended here already, too: it may not have been possible then.
   */
  async endSessionsOf(users: readonly string[]): Promise<number> {
    const names = (await this.#subjects(users))!;
    await this.secrets.shareEnded(({ database }, now) =>
      names.flatMap((name) => new Sessions(database).endedOf(name, now))
    );
    const reasons = [...new Set(users.map((name) => preparedName(name) ?? name))].map((name) =>
      `sessions of ${name}`
    );
    return await this.#endAllOf(names, EVENTS.sessionsRevoked, reasons);
  }

  /** The name under which a user is stored. */
  async #known(name: string): Promise<string> {
    const { installation } = await this.secrets.open();
    const user = namedUser(new Users(installation.database), name);
    if (user === undefined) throw unknown();
    return user.name;
  }

  /** Subjects of the tokens of some users, however their names are typed. */
  async #subjects(names: readonly string[] | undefined): Promise<string[] | undefined> {
    const { database } = (await this.secrets.open()).installation;
    return names && [...new Set(names.flatMap((name) => subjectsOf(new Users(database), name)))];
  }

  /**
   * One transaction that changes something of users and ends all of their sessions. The machines that share the secret are told
   * before, so that the same command finds everything as it was when that fails; and once more of sessions that were
   * opened meanwhile.
   *
   * @returns how many sessions it has ended.
   */
  async #endAllOf(
    names: readonly string[],
    event: typeof EVENTS[keyof typeof EVENTS],
    reasons: readonly string[],
    change: (installation: Installation, now: number) => void = () => {},
  ): Promise<number> {
    const told = new Set<string>();
    await this.secrets.shareEnded(({ database }, now) => {
      const open = names.flatMap((name) => endedNow(database, name, now));
      open.forEach(({ jti }) => told.add(jti));
      return open;
    });
    const late = await this.#change(
      (installation, now) => {
        const { database } = installation;
        const open = names.flatMap((name) => endedNow(database, name, now));
        change(installation, now);
        names.forEach((name) => new Sessions(database).revokeAll(name, now));
        return open.filter(({ jti }) => !told.has(jti));
      },
      event,
      ...reasons,
    );
    await this.#tellLate(late);
    return told.size + late.length;
  }

  async #tellLate(late: readonly Session[]): Promise<void> {
    if (late.length === 0) return;
    try {
      await this.secrets.shareEnded(() => late);
    } catch (error) {
      throw isRekeyError(error) ? endedHereOnly(error) : error;
    }
  }

  #count(installation: Installation, counted: [ThrottleKind, string][]): void {
    const { database } = installation;
    const at = installation.now();
    database.transaction(() => {
      const throttle = new Throttle(database);
      const wait = Math.max(...counted.map(([kind, name]) => throttle.wait(kind, name, at)));
      if (wait > 0) throw throttled(wait);
      for (const [kind, name] of counted) throttle.count(kind, name, at);
    });
  }

  /** One transaction: the change and the audit rows that tell of it. */
  async #change<T>(
    change: (installation: Installation, now: number) => T,
    event: typeof EVENTS[keyof typeof EVENTS],
    ...reasons: string[]
  ): Promise<T> {
    const { installation } = await this.secrets.open();
    const audit = await installation.audit();
    return installation.database.transaction(() => {
      const result = change(installation, installation.now());
      reasons.forEach((reason) => audit.append({ event, reason }));
      return result;
    });
  }
}

/** @throws {RekeyError} `bad_credentials` when a user is no longer the one that was authenticated. */
export function mustBeUnchanged(sql: Sql, { name, password }: User): void {
  if (new Users(sql).find(name)?.password !== password) throw badCredentials();
}

// As they will be once they have ended.
function endedNow(sql: Sql, name: string, now: number): Session[] {
  return new Sessions(sql).open(name, now).map((row) => ({ ...row, revoked_at: now }));
}

// Whole ones, as the table takes them; a token's time may be any number.
function milliseconds(seconds: unknown): number | undefined {
  if (typeof seconds !== "number") return undefined;
  return Math.min(Math.ceil(Math.abs(seconds) * 1000), Number.MAX_SAFE_INTEGER);
}

function noJti(): RekeyError {
  return usageError(
    "Cannot end the session: the token has no jti",
    "Its issuer has to give it one; until then only a rotation ends it",
  );
}

function taken(): RekeyError {
  return new RekeyError("failed", "Cannot add the user: the name is taken", {
    hint: "`rekey user passwd` sets a new password",
  });
}

function unknown(): RekeyError {
  return new RekeyError("failed", "Cannot find the user", { hint: "`rekey user list` shows all" });
}

function noSession(): RekeyError {
  return new RekeyError("failed", "Cannot end the session: there is no open one with that jti", {
    hint: "`rekey session list` shows the open ones",
  });
}

function endedHereOnly(cause: RekeyError): RekeyError {
  return new RekeyError(
    cause.code,
    `${cause.message}; it is done here, and a session of this moment may go on elsewhere`,
    {
      hint: "`rekey session revoke --user NAME` ends it there, once etcd answers",
      cause,
    },
  );
}

function badCredentials(): RekeyError {
  return new RekeyError("bad_credentials", "Cannot log in: wrong name or password", {
    hint: "Check both; after some failures every attempt has to wait",
  });
}

function throttled(waitMs: number): RekeyError {
  const seconds = Math.ceil(waitMs / 1000);
  return new RekeyError("throttled", `Cannot log in yet: too many failures, wait ${seconds} s`, {
    hint: "Wait and try again",
    retryAfter: seconds,
  });
}
