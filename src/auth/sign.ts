import { type RekeyError, usageError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import { type JsonObject, MAX_TOKEN_LENGTH } from "../jwt/jws.ts";
import { signCompact } from "../jwt/signatures.ts";
import { mustBeOwnClaims } from "../jwt/own_claims.ts";
import type { TokenPolicy } from "../jwt/policy.ts";
import { kidInTokens } from "../secret/token_kid.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";

/** What a new token says. */
export interface IssueRequest {
  readonly subject: string;
  /**
   * How long it is valid, in seconds; `null`: it has no `exp`. Such a token verifies as long as its version does, where
   * the policy or the caller allows tokens without `exp`.
   */
  readonly lifetime: number | null;
  readonly issuer?: string | undefined;
  /** One alone is a string in the token, several are a list (RFC 7519 §4.1.3). */
  readonly audience?: readonly string[] | undefined;
  readonly scope?: string | undefined;
  /** Further claims, none of those that rekey sets itself: {@linkcode mustBeOwnClaims}. */
  readonly claims?: JsonObject | undefined;
}

/** A new token. */
export interface Issued {
  /** Compact JWS (RFC 7515). It is a credential: it goes to stdout and nowhere else. */
  readonly token: string;
  readonly jti: string;
  /** Milliseconds since the epoch. */
  readonly issuedAt: number;
  /** Milliseconds since the epoch; `null` without `exp`. */
  readonly expiresAt: number | null;
}

/**
 * Signs a token.
 *
 * @throws {RekeyError} `usage` for a claim that is rekey's own, and when the token would be longer than
 * {@linkcode MAX_TOKEN_LENGTH}.
 */
export function sign(
  installation: Installation,
  request: IssueRequest,
  version: Version,
  secret: Secret,
): Issued {
  const { policy } = installation;
  mustBeOwnClaims(request.claims ?? {});
  const iat = Math.floor(installation.now() / 1000);
  const exp = request.lifetime === null ? undefined : iat + request.lifetime;
  const jti = crypto.randomUUID();
  const header = { typ: policy.type ?? "JWT", kid: kidInTokens(version) };
  const claims = claimsOf(request, policy, { jti, iat, exp });
  const token = signCompact(secret, version, header, claims);
  if (token.length > MAX_TOKEN_LENGTH) throw tooLong();
  return { token, jti, issuedAt: iat * 1000, expiresAt: exp === undefined ? null : exp * 1000 };
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
  { jti, iat, exp }: { jti: string; iat: number; exp: number | undefined },
) {
  const { subject: sub, issuer: iss = issuer?.[0], scope } = request;
  const audiences = [...new Set(request.audience ?? audience?.slice(0, 1))];
  const aud = audiences.length > 1 ? audiences : audiences[0];
  const own = { sub, iss, aud, scope, jti, iat, exp };
  const said = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...request.claims, ...Object.fromEntries(said) };
}
