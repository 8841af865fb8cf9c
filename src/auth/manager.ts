import type { Sql } from "../core/sql.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Changed, RotateOptions } from "../secret/backend.ts";
import type { Accounts, Credentials } from "../users/accounts.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { NEVER } from "../store/sqlite/ended_sessions.ts";
import { Sessions } from "../users/sessions.ts";
import { type Issued, type IssueRequest, sign } from "./sign.ts";

/** The token of a login. */
export interface LoggedIn extends Issued {
  readonly expiresAt: number;
}

/** How many sessions are counted at most: with millions of them no command waits for the count. */
export const MOST_COUNTED = 100_000;

/**
 * Authentication with the app's secret: logins, their tokens, and the end of all sessions. `SecretManager` verifies.
 *
 * @example
 * ```ts
 * const auth = new AuthManager(secretManager);
 * const { token } = await auth.issue({ subject: "alice", lifetime: 3600 });
 * await auth.rotate({ reason: "offboarding" }); // the token is refused from here on
 * ```
 */
export class AuthManager {
  constructor(
    private readonly secrets: SecretManager,
    private readonly accounts?: Accounts,
  ) {}

  /**
   * Signs a token and remembers it as a session. One without expiry is remembered until its version ends, and stays one
   * that can be ended.
   *
   * @throws {RekeyError} `usage` for claims that rekey sets itself, and when the token would be longer than
   * `MAX_TOKEN_LENGTH`.
   * @throws {RekeyError} a code with exit status 4 when the secret cannot be had.
   */
  issue(request: IssueRequest): Promise<Issued> {
    return this.#issue(() => request, () => true);
  }

  /**
   * @param permit asked inside the transaction that makes it a session: false for another try with the request as it is
   * then; what it throws is thrown.
   */
  async #issue(request: () => IssueRequest, permit: (sql: Sql) => boolean): Promise<Issued> {
    const { installation } = await this.secrets.open();
    for (;;) {
      const { version, secret } = await this.secrets.get();
      const issued = sign(installation, request(), version, secret);
      // A rotation in between would have made a token that no longer verifies.
      const kept = installation.database.transaction(() => {
        if (installation.versions.current()?.version !== version.version) return false;
        if (!permit(installation.database)) return false;
        const { jti, issuedAt: issued_at, expiresAt } = issued;
        const session = { jti, version: version.version, sub: request().subject };
        const expires_at = expiresAt ?? NEVER;
        new Sessions(installation.database).add({ ...session, issued_at, expires_at });
        return true;
      });
      if (kept) return issued;
    }
  }

  /**
   * Logs a user in: a token for them, with the claims that were set for them, if the password is right.
   *
   * @param lifetime of the token, in seconds.
   * @throws {RekeyError} `bad_credentials`, or `throttled` after too many failures.
   */
  async login(credentials: Credentials, lifetime: number): Promise<LoggedIn> {
    const { Accounts, unchanged } = await import("../users/accounts.ts");
    const { loginClaims } = await import("../users/login_claims.ts");
    const accounts = this.accounts ?? new Accounts(this.secrets);
    let user = await accounts.authenticate(credentials);
    const request = () => ({ subject: user.name, lifetime, ...loginClaims(user) });
    // A user who was removed meanwhile, or has another password, gets no session any more.
    const issued = await this.#issue(request, (sql) => {
      const now = unchanged(sql, user);
      const same = now.claims === user.claims;
      user = now;
      return same;
    });
    return { ...issued, expiresAt: issued.issuedAt + lifetime * 1000 };
  }

  /** Rotates the secret and so ends every session (but for a grace window): none verifies any more. */
  rotate(options?: RotateOptions): Promise<Changed> {
    return this.secrets.rotate(options);
  }

  /** When the last of the sessions ends that are valid now, in milliseconds; `null` without any. */
  async lastExpiry(): Promise<number | null> {
    const { installation } = await this.secrets.open();
    const sessions = new Sessions(installation.database);
    const last = (await this.secrets.verifying()).map(({ version }) =>
      sessions.lastExpiry(version) ?? 0
    );
    return Math.max(...last) || null;
  }

  /** How many sessions are valid now. No more than {@linkcode MOST_COUNTED} are counted: that many, or more. */
  async activeSessions(): Promise<number> {
    const { installation } = await this.secrets.open();
    return activeIn(installation, await this.secrets.verifying());
  }
}

/** How many sessions of some versions are valid now; no more than {@linkcode MOST_COUNTED} are counted. */
export function activeIn(installation: Installation, versions: readonly Version[]): number {
  const sessions = new Sessions(installation.database);
  const now = installation.now();
  return versions.reduce(
    (sum, { version }) => sum + sessions.activeCount(version, now, MOST_COUNTED - sum),
    0,
  );
}
