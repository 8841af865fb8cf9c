import { type RekeyError, usageError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import type { Sql } from "../core/sql.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Changed, RotateOptions } from "../secret/backend.ts";
import { Accounts, type Credentials, mustBeUnchanged } from "../users/accounts.ts";
import { MAX_TOKEN_LENGTH } from "../jwt/jws.ts";
import type { Installation } from "../store/installation.ts";
import type { TokenPolicy } from "../jwt/policy.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { Sessions } from "../users/sessions.ts";

/** What a new token says. */
export interface IssueRequest {
  readonly subject: string;
  /** How long it is valid, in seconds. */
  readonly lifetime: number;
  readonly issuer?: string | undefined;
  /** One alone is a string in the token, several are a list (RFC 7519 §4.1.3). */
  readonly audience?: readonly string[] | undefined;
  readonly scope?: string | undefined;
}

/** A new token. */
export interface Issued {
  /** Compact JWS (RFC 7515). It is a credential: it goes to stdout and nowhere else. */
  readonly token: string;
  readonly jti: string;
  /** Milliseconds since the epoch. */
  readonly issuedAt: number;
  /** Milliseconds since the epoch. */
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
  constructor(private readonly secrets: SecretManager) {}

  /**
   * Signs a token and remembers it as a session.
   *
   * @throws {RekeyError} `usage` when the token would be longer than {@linkcode MAX_TOKEN_LENGTH}.
   * @throws {RekeyError} a code with exit status 4 when the secret cannot be had.
   */
  issue(request: IssueRequest): Promise<Issued> {
    return this.#issue(request, () => {});
  }

  /** @param permit asked inside the transaction that makes it a session; what it throws is thrown. */
  async #issue(request: IssueRequest, permit: (sql: Sql) => void): Promise<Issued> {
    const { installation } = await this.secrets.open();
    for (;;) {
      const { version, secret } = await this.secrets.get();
      const issued = await sign(installation, request, version, secret);
      // A rotation in between would have made a token that no longer verifies.
      const kept = installation.database.transaction(() => {
        if (installation.versions.current()?.version !== version.version) return false;
        permit(installation.database);
        const { jti, issuedAt: issued_at, expiresAt: expires_at } = issued;
        const session = { jti, version: version.version, sub: request.subject };
        new Sessions(installation.database).add({ ...session, issued_at, expires_at });
        return true;
      });
      if (kept) return issued;
    }
  }

  /**
   * Logs a user in: a token for them, if the password is right.
   *
   * @param lifetime of the token, in seconds.
   * @throws {RekeyError} `bad_credentials`, or `throttled` after too many failures.
   */
  async login(credentials: Credentials, lifetime: number): Promise<Issued> {
    const user = await new Accounts(this.secrets).authenticate(credentials);
    // A user who was removed meanwhile, or has another password, gets no session any more.
    return await this.#issue({ subject: user.name, lifetime }, (sql) => mustBeUnchanged(sql, user));
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

async function sign(
  installation: Installation,
  request: IssueRequest,
  { kid, alg, key_form }: Version,
  secret: Secret,
): Promise<Issued> {
  const { policy } = installation;
  const iat = Math.floor(installation.now() / 1000);
  const exp = iat + request.lifetime;
  const jti = crypto.randomUUID();
  const { SignJWT } = await import("jose");
  const key = secret.hmacKey(key_form);
  const token = await new SignJWT(claimsOf(request, policy, jti, iat, exp))
    .setProtectedHeader({ alg, typ: policy.type ?? "JWT", kid })
    .sign(key);
  key.fill(0);
  if (token.length > MAX_TOKEN_LENGTH) throw tooLong();
  return { token, jti, issuedAt: iat * 1000, expiresAt: exp * 1000 };
}

function tooLong(): RekeyError {
  return usageError(
    `Cannot issue a token of more than ${MAX_TOKEN_LENGTH} characters`,
    "Say less in its claims",
  );
}

// What every token must say, one of our own says too.
function claimsOf(
  request: IssueRequest,
  { issuer, audience }: TokenPolicy,
  jti: string,
  iat: number,
  exp: number,
) {
  const { subject: sub, issuer: iss = issuer?.[0], scope } = request;
  const audiences = [...new Set(request.audience ?? audience?.slice(0, 1))];
  const aud = audiences.length > 1 ? audiences : audiences[0];
  const optional = Object.entries({ iss, aud, scope }).filter(([, value]) => value !== undefined);
  return { sub, ...Object.fromEntries(optional), jti, iat, exp };
}
