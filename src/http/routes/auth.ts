import { textOf } from "../../auth/claims.ts";
import type { Verified } from "../../auth/verifier.ts";
import { bodyless } from "../answer.ts";
import { wantedBy } from "../auth_query.ts";
import { bearerToken, insufficientScope } from "../bearer.ts";
import { encodeText } from "../../core/base64url.ts";
import { andThen } from "../../core/async.ts";
import type { ResponseSpec, Route } from "../route.ts";
import { AuthQuery, Problem } from "../schemas.ts";
import { missingScopes } from "../scope.ts";

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
