import { isRekeyError, RekeyError, TOKEN_FAULTS } from "../core/errors.ts";
import { HttpRefusal } from "./problem.ts";

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
