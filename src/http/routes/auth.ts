import type { VerifyPolicy } from "../../jwt/policy.ts";
import { ENCODED_CLAIMS, type Verified } from "../../jwt/verifier.ts";
import { bodyless } from "../app.ts";
import { HttpRefusal } from "../problem.ts";
import { textOf } from "../../jwt/claims.ts";
import { insufficientScope, missingScopes } from "../guard.ts";
import { andThen } from "../../core/async.ts";
import type { RequestHead, ResponseSpec, Route } from "../route.ts";
import { encodeText, escapesUtf8 } from "../../core/encoding.ts";

/** Requirements for a token in the query of `/auth`. */
interface TokenRequirements {
  readonly policy: VerifyPolicy;
  /** All of them are required. */
  readonly scopes: readonly string[];
}

const NAMES = ["scope", "aud", "iss"];
const LONGEST = 1_024;

// RFC 6749 §3.3: visible ASCII but for the quote and the backslash.
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/**
 * The requirements in the query of a request: `scope` (one or more, in one parameter or several), `aud` and `iss`. They
 * can only refuse more tokens, so it does not matter who wrote them.
 *
 * An unknown parameter is an error, since its author expects an effect. An exception is the query of a proxy's client:
 * Caddy passes it on if its configuration has none, and sends it in `X-Forwarded-Uri` as well.
 *
 * @returns `undefined` if there are none.
 * @throws {HttpRefusal} 400.
 */
function requirementsOf(head: RequestHead): TokenRequirements | undefined {
  const at = head.url.indexOf("?");
  if (at < 0) return undefined;
  const query = head.url.slice(at + 1).replace(/#.*$/s, "");
  const given = new URLSearchParams(query);
  const strange = [...given.keys()].some((name) => !NAMES.includes(name));
  if (strange && query !== clientsQuery(head)) {
    throw refusal("the query has an unknown parameter", "/auth takes scope, aud and iss");
  }
  const scopes = scopesOf(given.getAll("scope"));
  const [audience, issuer] = [singleValue(given, "aud"), singleValue(given, "iss")];
  if (scopes.length === 0 && audience === undefined && issuer === undefined) return undefined;
  // A replacement character could match a claim.
  if (!escapesUtf8(query)) {
    throw refusal("its query is not UTF-8", "Percent-encode it as RFC 3986 §2.1 says");
  }
  return { policy: { also: { audience, issuer } }, scopes };
}

function clientsQuery({ headers }: RequestHead): string | undefined {
  return headers.get("x-forwarded-uri")?.replace(/^[^?]*\??/, "");
}

function scopesOf(values: readonly string[]): string[] {
  const scopes = values.flatMap((value) => value.split(" ").filter((scope) => scope !== ""));
  const isEmpty = values.some((value) => value.trim() === "");
  // Scopes become part of a response header.
  const fit = scopes.every((scope) => SCOPE.test(scope)) && scopes.join(" ").length <= LONGEST;
  if (isEmpty || !fit) throw refusal("its scope is malformed", "Write it as RFC 6749 §3.3 says");
  return [...new Set(scopes)];
}

function singleValue(given: URLSearchParams, name: string): string | undefined {
  const values = given.getAll(name);
  if (values.length > 1) throw refusal(`${name} occurs twice`, "Give it once");
  if (values[0] === "") throw refusal(`${name} is empty`, "Give a value, or leave it out");
  return values[0];
}

function refusal(why: string, hint: string): HttpRefusal {
  return new HttpRefusal("bad_request", `Cannot answer: ${why}`, {}, hint);
}

const accepted: ResponseSpec = {
  description: "The token is valid; X-Auth-* headers tell its subject and claims",
};
const refused: ResponseSpec = {
  description: "The token is not valid, or there is none",
  schema: "Problem",
};

const lacking: ResponseSpec = {
  description: "The token lacks a scope of the query",
  schema: "Problem",
};

/** For nginx `auth_request`, Caddy `forward_auth` and Traefik ForwardAuth. */
export const auth: Route = {
  method: "GET",
  path: "/auth",
  summary: "Tells a proxy whether the bearer token is valid",
  query: "AuthQuery",
  answers: { 204: accepted, 401: refused, 403: lacking },
  bearer: "always",
  anySite: true,
  handler: withRequirements(whenValid(204)),
};

/**
 * For Envoy `ext_authz`, which sends its client's method, path and query, and accepts only 200. Only the token matters
 * here: everything else comes from the client.
 */
export const authForEnvoy: Route = {
  method: "ANY",
  path: "/auth/*",
  summary: "The same for Envoy's ext_authz, with any method and path",
  answers: { 200: accepted, 401: refused },
  bearer: "always",
  anySite: true,
  handler: whenValid(200),
};

/** Applies the requirements in the query, if there is one. */
function withRequirements(plain: Route["handler"]): Route["handler"] {
  return (call) => {
    const required = requirementsOf(call);
    if (required === undefined) return plain(call);
    const { policy, scopes } = required;
    return andThen(call.verifyBearer(call, policy), (verified) => {
      const missing = missingScopes(verified, scopes);
      if (missing.length > 0) throw insufficientScope(scopes.join(" "));
      return bodyless(204, identity(verified));
    });
  };
}

/**
 * Responds with a status and the identity. The response is kept with a remembered token, starting with its second
 * request: for tokens that are used once that would waste memory.
 */
function whenValid(status: number): Route["handler"] {
  // A property, since a WeakMap is slower than making a new response. It is `null` after the first request.
  const kept = Symbol("answer");
  const about = (verified: Verified & { [kept]?: Response | null }) => {
    const known = verified[kept];
    if (known) return known;
    const answer = bodyless(status, identity(verified));
    verified[kept] = known === null ? answer : null;
    return answer;
  };
  return (call) => andThen(call.verifyBearer(call), about);
}

// Both are always present, so that a proxy which copies them overwrites those of its client.
function identity({ claims, [ENCODED_CLAIMS]: encoded }: Verified): Record<string, string> {
  return {
    "x-auth-subject": headerText(textOf(claims.sub) ?? ""),
    "x-auth-claims": encoded ?? encodeText(JSON.stringify(claims)),
  };
}

// Everything except visible ASCII, and the percent sign, is percent-encoded (RFC 3986 §2.1).
function headerText(text: string): string {
  if (/^[\x21-\x24\x26-\x7e]*$/.test(text)) return text;
  return text.toWellFormed().replace(/[^\x21-\x7e]|%/gu, encodeURIComponent);
}
