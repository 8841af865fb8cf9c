import { canonicalHost, isOwnHost, type Names, withoutDefaultPort } from "./host.ts";
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
