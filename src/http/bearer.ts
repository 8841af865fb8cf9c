import { isRekeyError, RekeyError, TOKEN_FAULTS } from "../core/errors.ts";
import { HttpRefusal } from "./problem.ts";
import { ClaimsError, type Verified } from "../jwt/verifier.ts";

const REALM = `Bearer realm="rekey"`;

// RFC 6750 §2.1; the scheme's case does not matter (RFC 9110 §11.1).
const CREDENTIALS = /^bearer +([\w.~+/-]+=*)$/i;

/** Credentials that cannot be taken: none were given, or not one bearer token. */
class NoToken extends RekeyError {
  /** As {@linkcode challenge} describes it; `undefined` when no credentials were given. */
  readonly description: string | undefined;

  constructor(given: boolean) {
    const why = given ? "authorization is not one bearer token" : "no bearer token was given";
    super("malformed", `Cannot accept the request: ${why}`);
    this.description = given ? "Authorization is not one bearer token" : undefined;
  }
}

/**
 * The token of a request (RFC 6750 §2.1). It is taken from `Authorization` only: a URL ends up in logs, and a
 * cookie comes along with what other sites make a browser ask.
 *
 * @throws {RekeyError} `malformed`, also when the header is there twice: which one counts would be a guess.
 */
export function bearerToken(request: Request): string {
  const header = request.headers.get("authorization");
  if (header === null) throw new NoToken(false);
  const token = CREDENTIALS.exec(header)?.[1];
  if (token === undefined) throw new NoToken(true);
  return token;
}

/** Whether `error` is a refusal of a token for what it is. */
export function isTokenFault(error: unknown): error is RekeyError {
  return isRekeyError(error, ...TOKEN_FAULTS);
}

/** The challenge of a 401 (RFC 6750 §3). Who gave no token at all gets no error code. */
export function challenge(error: unknown): string {
  if (!isTokenFault(error)) return REALM;
  const why = error instanceof NoToken ? error.description : error.message;
  if (why === undefined) return REALM;
  const description = why.replace(/[^\x20-\x7e]|["\\]/g, "'");
  return `${REALM}, error="invalid_token", error_description="${description}"`;
}

/** Who has a valid token but not the scope (RFC 6750 §3.1). */
export function insufficientScope(scope: string): HttpRefusal {
  return new HttpRefusal("forbidden", `Cannot do this: the token has not the scope ${scope}`, {
    "www-authenticate": `${REALM}, error="insufficient_scope", scope="${scope}"`,
  });
}

/**
 * Whether a token may do what asks for a scope (RFC 6749 §3.3): it has that one, or `admin`.
 *
 * @throws {HttpRefusal} 403 with a challenge that names the scope.
 */
export function mustHaveScope({ claims }: Verified, scope: string): void {
  const scopes = scopesOf(claims);
  if (!scopes.includes(scope) && !scopes.includes("admin")) throw insufficientScope(scope);
}

/** Those of an application's scopes that a token has not. None stands for another one here, `admin` neither. */
export function missingScopes({ claims }: Verified, wanted: readonly string[]): string[] {
  const scopes = scopesOf(claims);
  return wanted.filter((scope) => !scopes.includes(scope));
}

/**
 * Refuses a token that has not all of some scopes, as one whose claim is not the one expected.
 *
 * @param wanted separated by spaces; `undefined` for none.
 * @throws {ClaimsError} `claim_mismatch`.
 */
export function refuseWithoutScope(verified: Verified, wanted: string | undefined): void {
  const all = (wanted ?? "").split(" ").filter((scope) => scope !== "");
  if (missingScopes(verified, all).length === 0) return;
  const reason = verified.claims.scope === undefined
    ? "is missing"
    : "has not all that are required";
  throw new ClaimsError([{ claim: "scope", code: "claim_mismatch", reason }]);
}

function scopesOf({ scope }: Verified["claims"]): string[] {
  return typeof scope === "string" ? scope.split(" ") : [];
}
