import { isRekeyError, RekeyError, TOKEN_FAULTS } from "../core/errors.ts";
import { ClaimsError } from "../jwt/claims.ts";
import type { Verified } from "../jwt/verifier.ts";
import { canonicalHost, isOwnHost, type Names, withoutDefaultPort } from "./host_names.ts";
import { HttpRefusal } from "./problem.ts";
import type { RequestHead } from "./route.ts";

const HOST_HINT = "If it is a name of this server, start rekey serve with --host NAME";

// RFC 3986 §3.2.2 with a port. Host names with an underscore are in use.
const AUTHORITY = /^[\w.~!$&'()*+,;=%:[\]-]+$/;

/**
 * Rejects a malformed `Host`. The runtime makes the URL from it and the path, so with `x/healthz?` a client behind a
 * proxy could choose the route that answers the proxy.
 *
 * @throws {HttpRefusal} 421.
 */
export function rejectMalformedHost({ headers }: Pick<RequestHead, "headers">): void {
  const host = headers.get("host");
  if (host === null || AUTHORITY.test(host)) return;
  throw misdirected(
    "the Host is malformed",
    "Name the server as HOST or HOST:PORT (RFC 9110 §7.2)",
  );
}

/**
 * Rejects requests that a browser sends for a page of another site: with a `Host` that is not ours (DNS rebinding: the
 * attacker's host name resolves to this address), or with the `Origin` of another site.
 *
 * @throws {HttpRefusal} 421 or 403.
 */
export function rejectForeignSite({ url, headers }: RequestHead, names: Names): void {
  // In HTTP/2, and optionally in HTTP/1.1, the request target names the host and takes precedence (RFC 9112 §3.2.2).
  // Otherwise the runtime copies the Host header into the URL.
  const target = authority(url);
  const host = headers.get("host") ?? target;
  // The hint does not quote the name: a response contains nothing that a client wrote.
  if (!names.anyHost && ![host, target].every((name) => isOwnHost(canonicalHost(name), names))) {
    throw misdirected("the Host is not a name of this server", HOST_HINT);
  }
  const origin = headers.get("origin");
  if (origin === null || isOurOrigin(origin, host, names)) return;
  throw new HttpRefusal("forbidden", "Cannot answer: the request comes from another site");
}

/**
 * Rejects a chunked request whose end a proxy may see elsewhere (RFC 9112 §6.1): one that also has a length, or a coding
 * that not every reader knows.
 *
 * @throws {HttpRefusal} 400.
 */
export function rejectAmbiguousLength({ headers }: Pick<RequestHead, "headers">): void {
  const what = headers.has("content-length")
    ? "both Content-Length and Transfer-Encoding"
    : headers.get("transfer-encoding")!.toLowerCase() !== "chunked"
    ? "a Transfer-Encoding other than chunked"
    : undefined;
  if (what === undefined) return;
  throw new HttpRefusal("bad_request", `Cannot answer: the request has ${what}`, {
    connection: "close",
  });
}

/**
 * Whether a request is chunked. Its connection must not be reused: the runtime hides a `Content-Length` that follows
 * `Transfer-Encoding`, so a proxy may have seen the request end elsewhere.
 */
export function isChunked({ headers }: Pick<RequestHead, "headers">): boolean {
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
  // Another port of this machine is another site, except under the names given by --host.
  return from === withoutDefaultPort(host.toLowerCase(), protocol) ||
    names.hosts.includes(canonicalHost(hostname) ?? "");
}

// Not `new URL`: the runtime's URL may be invalid, since a client can write any port.
function authority(url: string): string {
  return /^\w+:\/\/([^/?#]*)/.exec(url)?.[1] ?? "";
}

const REALM = `Bearer realm="rekey"`;

// RFC 6750 §2.1; the scheme's case does not matter (RFC 9110 §11.1).
const CREDENTIALS = /^bearer +([\w.~+/-]+=*)$/i;

/** No credentials, or credentials that are not one bearer token. */
export class NoToken extends RekeyError {
  /** For the {@linkcode challenge}; `undefined` without credentials. */
  readonly description: string | undefined;

  constructor(given: boolean) {
    const why = given ? "authorization is not one bearer token" : "no bearer token was given";
    super("malformed", `Cannot accept the request: ${why}`);
    this.description = given ? "Authorization is not one bearer token" : undefined;
  }
}

/**
 * The credentials of a request, from `Authorization` only: URLs end up in logs, and browsers send cookies with requests
 * of other sites.
 *
 * @throws {RekeyError} `malformed` without any.
 */
export function credentials({ headers }: Pick<RequestHead, "headers">): string {
  const header = headers.get("authorization");
  if (header === null) throw new NoToken(false);
  return header;
}

/**
 * The token in an `Authorization` (RFC 6750 §2.1).
 *
 * @throws {RekeyError} `malformed`, also when the header occurs twice.
 */
export function bearerToken(header: string): string {
  const token = CREDENTIALS.exec(header)?.[1];
  if (token === undefined) throw new NoToken(true);
  return token;
}

/** Whether an error means that a token is not valid. */
export function isTokenFault(error: unknown): error is RekeyError {
  return isRekeyError(error, ...TOKEN_FAULTS);
}

/** The challenge of a 401 (RFC 6750 §3), without an error code if the request had no token. */
export function challenge(error: unknown): string {
  if (!isTokenFault(error)) return REALM;
  const why = error instanceof NoToken ? error.description : error.message;
  if (why === undefined) return REALM;
  const description = why.replace(/[^\x20-\x7e]|["\\]/g, "'");
  return `${REALM}, error="invalid_token", error_description="${description}"`;
}

/** The token is valid but lacks a scope (RFC 6750 §3.1). */
export function insufficientScope(scope: string): HttpRefusal {
  return new HttpRefusal("forbidden", `Cannot do this: the token lacks the scope ${scope}`, {
    "www-authenticate": `${REALM}, error="insufficient_scope", scope="${scope}"`,
  });
}

/**
 * Requires a scope of rekey (RFC 6749 §3.3). `admin` implies all of them.
 *
 * @throws {HttpRefusal} 403 with a challenge that names the scope.
 */
export function requireScope({ claims }: Verified, scope: string): void {
  const scopes = scopesOf(claims);
  if (!scopes.includes(scope) && !scopes.includes("admin")) throw insufficientScope(scope);
}

/** The scopes of an application that a token lacks. No scope implies another here, not even `admin`. */
export function missingScopes({ claims }: Verified, wanted: readonly string[]): string[] {
  const scopes = scopesOf(claims);
  return wanted.filter((scope) => !scopes.includes(scope));
}

/**
 * Requires scopes of an application, as an expected value of the claim `scope`.
 *
 * @param wanted separated by spaces; `undefined` for none.
 * @throws {ClaimsError} `claim_mismatch`.
 */
export function requireTokenScopes(verified: Verified, wanted: string | undefined): void {
  const all = (wanted ?? "").split(" ").filter((scope) => scope !== "");
  if (missingScopes(verified, all).length === 0) return;
  const reason = verified.claims.scope === undefined ? "is missing" : "lacks a required scope";
  throw new ClaimsError([{ claim: "scope", code: "claim_mismatch", reason }]);
}

function scopesOf({ scope }: Verified["claims"]): string[] {
  return typeof scope === "string" ? scope.split(" ") : [];
}
