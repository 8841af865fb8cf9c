import type { VerifyPolicy } from "../../jwt/policy.ts";
import type { Verified } from "../../jwt/verifier.ts";
import { bodyless } from "../app.ts";
import { HttpRefusal } from "../problem.ts";
import { textOf } from "../../jwt/claims.ts";
import { bearerToken, insufficientScope, missingScopes } from "../guard.ts";
import { andThen } from "../../core/async.ts";
import type { ResponseSpec, Route } from "../routes.ts";
import { AuthQuery, Problem } from "../schemas.ts";
import { encodeText, escapesUtf8 } from "../../core/encoding.ts";

/** What the query of `/auth` asks of a token, beyond being valid. */
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
 * What the query of a request asks of its token: `scope` (several in one or in many, all required), `aud` and `iss`.
 * Each of them can only refuse more tokens, so it does not matter who wrote it.
 *
 * An unknown parameter is refused, since whoever wrote it believes that it is looked at. Caddy asks with its client's
 * query where its configuration gives none, and names the client's target: what that is known to have is ignored.
 *
 * @returns `undefined` where nothing is asked for.
 * @throws {HttpRefusal} 400.
 */
function wantedBy(request: Request): TokenRequirements | undefined {
  const at = request.url.indexOf("?");
  if (at < 0) return undefined;
  const query = request.url.slice(at + 1).replace(/#.*$/s, "");
  const given = new URLSearchParams(query);
  const strange = [...given.keys()].some((name) => !NAMES.includes(name));
  if (strange && query !== clientsQuery(request)) {
    throw refusal("a parameter of /auth is none that it knows", "It takes scope, aud and iss");
  }
  const scopes = scopesOf(given.getAll("scope"));
  const [audience, issuer] = [onlyOf(given, "aud"), onlyOf(given, "iss")];
  if (scopes.length === 0 && audience === undefined && issuer === undefined) return undefined;
  // Another character in its place could be what a token has.
  if (!escapesUtf8(query)) throw refusal("its query is not UTF-8", "Escape it as RFC 3986 has it");
  return { policy: { also: { audience, issuer } }, scopes };
}

function clientsQuery({ headers }: Request): string | undefined {
  return headers.get("x-forwarded-uri")?.replace(/^[^?]*\??/, "");
}

function scopesOf(values: readonly string[]): string[] {
  const scopes = values.flatMap((value) => value.split(" ").filter((scope) => scope !== ""));
  const isEmpty = values.some((value) => value.trim() === "");
  // They go into a header of the answer.
  const fit = scopes.every((scope) => SCOPE.test(scope)) && scopes.join(" ").length <= LONGEST;
  if (isEmpty || !fit) throw refusal("its scope is not one", "Write it as RFC 6749 §3.3 has it");
  return [...new Set(scopes)];
}

function onlyOf(given: URLSearchParams, name: string): string | undefined {
  const values = given.getAll(name);
  if (values.length > 1) throw refusal(`${name} stands there twice`, "Name one");
  if (values[0] === "") throw refusal(`${name} is empty`, "Name one, or leave it out");
  return values[0];
}

function refusal(why: string, hint: string): HttpRefusal {
  return new HttpRefusal("bad_request", `Cannot answer: ${why}`, {}, hint);
}

const accepted: ResponseSpec = {
  description: "The token is valid; X-Auth-* headers say whose it is",
};
const refused: ResponseSpec = {
  description: "The token is not valid, or there is none",
  schema: Problem,
};

const lacking: ResponseSpec = {
  description: "The token lacks a scope of the query",
  schema: Problem,
};

/** For nginx `auth_request`, Caddy `forward_auth` and Traefik ForwardAuth. */
export const auth: Route = {
  method: "GET",
  path: "/auth",
  summary: "Says to a proxy whether the bearer token is valid",
  query: AuthQuery,
  answers: { 204: accepted, 401: refused, 403: lacking },
  bearer: "always",
  forProxies: true,
  handler: asked(answering(204)),
};

/**
 * For Envoy, which asks with its client's method, path and query, and lets only a 200 pass. Nothing but the token
 * counts here: all else is the client's.
 */
export const authForEnvoy: Route = {
  method: "ANY",
  path: "/auth/*",
  summary: "The same for Envoy's ext_authz, with any method and path",
  answers: { 200: accepted, 401: refused },
  bearer: "always",
  forProxies: true,
  handler: answering(200),
};

/** Looks at what the operator's configuration asks for in the query. Without one it costs nothing. */
function asked(plain: Route["handler"]): Route["handler"] {
  return (call) => {
    const wanted = wantedBy(call.request);
    if (wanted === undefined) return plain(call);
    const { policy, scopes } = wanted;
    return andThen(call.verify(bearerToken(call.request), policy), (verified) => {
      const missing = missingScopes(verified, scopes);
      if (missing.length > 0) throw insufficientScope(scopes.join(" "));
      return bodyless(204, identity(verified));
    });
  };
}

/**
 * Answers with a status and who it is. The answer about a token that is remembered is remembered with it, from the
 * second one on: of tokens that come once it would be so much to carry along.
 */
function answering(status: number): Route["handler"] {
  // A property, since a WeakMap's entry takes longer than making the answer does; `null` after the first one.
  const kept = Symbol("answer");
  const about = (verified: Verified & { [kept]?: Response | null }) => {
    const known = verified[kept];
    if (known) return known;
    const answer = bodyless(status, identity(verified));
    verified[kept] = known === null ? answer : null;
    return answer;
  };
  return ({ request, verify }) => andThen(verify(bearerToken(request)), about);
}

// Both are always there, if empty: a proxy that copies them overwrites what its client may have sent.
function identity({ claims }: Verified): Record<string, string> {
  return {
    "x-auth-subject": headerText(textOf(claims.sub) ?? ""),
    "x-auth-claims": encodeText(JSON.stringify(claims)),
  };
}

// Visible ASCII stays as it is; anything else, and the percent sign, is percent-encoded (RFC 3986 §2.1).
function headerText(text: string): string {
  return text.toWellFormed().replace(/[^\x21-\x7e]|%/gu, encodeURIComponent);
}
