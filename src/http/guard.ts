import { isRekeyError, RekeyError, TOKEN_FAULTS } from "../core/errors.ts";
import { ClaimsError } from "../jwt/claims.ts";
import type { Verified } from "../jwt/verifier.ts";

import { canonicalHost, isOwnHost, type Names, withoutDefaultPort } from "./host_names.ts";
import { HttpRefusal } from "./problem.ts";

const OWN_HINT =
  "If the name or address in it is this server's own, start rekey serve with --host NAME";

// RFC 3986 §3.2.2 and a port; names with an underscore are in use.
const AUTHORITY = /^[\w.~!$&'()*+,;=%:[\]-]+$/;

/**
 * Refuses a `Host` that cannot be one. The runtime puts it in front of the path to make the URL, so with
 * `x/healthz?` a proxy's client would choose the route that answers its proxy.
 *
 * @throws {HttpRefusal} 421.
 */
export function refuseMalformedHost(request: Request): void {
  const host = request.headers.get("host");
  if (host === null || AUTHORITY.test(host)) return;
  throw misdirected(
    "the Host is malformed",
    "Name the server as HOST or HOST:PORT (RFC 9110 §7.2)",
  );
}

/**
 * Refuses requests that a web page of somebody else makes a browser send: with a `Host` that is not ours
 * (DNS rebinding: a name of the attacker's that leads to this address), or with the `Origin` of another site.
 *
 * @throws {HttpRefusal} 421 or 403.
 */
export function refuseForeign(request: Request, names: Names): void {
  // HTTP/2 names it in the request's target, and an HTTP/1.1 client may do so too: then that one counts (RFC 9112
  // §3.2.2). Where the target names none, the runtime puts the Host into the URL.
  const target = authority(request.url);
  const host = request.headers.get("host") ?? target;
  // The hint does not repeat the name: nothing that a client wrote is in an answer.
  if (!names.anyHost && ![host, target].every((name) => isOwnHost(canonicalHost(name), names))) {
    throw misdirected("the Host is not one of this server", OWN_HINT);
  }
  const origin = request.headers.get("origin");
  if (origin === null || isOurOrigin(origin, host, names)) return;
  throw new HttpRefusal("forbidden", "Cannot answer: the request comes from another site");
}

/**
 * Refuses a chunked request of which two readers could see the end in two places (RFC 9112 §6.1): one with two
 * lengths, or with a coding that only one of them may know.
 *
 * @throws {HttpRefusal} 400.
 */
export function refuseAmbiguous({ headers }: Request): void {
  const what = headers.has("content-length")
    ? "both Content-Length and Transfer-Encoding"
    : headers.get("transfer-encoding")!.toLowerCase() !== "chunked"
    ? "another Transfer-Encoding than chunked"
    : undefined;
  if (what === undefined) return;
  throw new HttpRefusal("bad_request", `Cannot answer: the request has ${what}`, {
    connection: "close",
  });
}

/**
 * Whether a request came in chunks. Nothing that follows it on its connection is to be believed: the runtime hides a
 * `Content-Length` after `Transfer-Encoding`, by which a proxy in front may have seen another end.
 */
export function isChunked({ headers }: Request): boolean {
  return headers.has("transfer-encoding");
}

function misdirected(why: string, hint: string): HttpRefusal {
  const headers = { connection: "close" };
  return new HttpRefusal("misdirected_request", `Cannot answer: ${why}`, headers, hint);
}

function isOurOrigin(origin: string, host: string, names: Names): boolean {
  if (!URL.canParse(origin)) return false;
  const { host: from, hostname, protocol } = new URL(origin);
  if (protocol !== "http:" && protocol !== "https:") return false;
  // Another port of this machine is another site, but for the names that the operator gave.
  return from === withoutDefaultPort(host.toLowerCase(), protocol) ||
    names.hosts.includes(canonicalHost(hostname) ?? "");
}

// The runtime's URL need not be one: a client may have written any port.
function authority(url: string): string {
  return /^\w+:\/\/([^/?#]*)/.exec(url)?.[1] ?? "";
}

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
