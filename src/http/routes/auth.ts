import { Buffer } from "node:buffer";
import type { Verified } from "../../auth/verifier.ts";
import { bearerToken } from "../bearer.ts";
import type { Answer, Call, Route } from "../route.ts";
import { Problem } from "../schemas.ts";

const accepted: Answer = { description: "The token is valid; X-Auth-* headers say whose it is" };
const refused: Answer = {
  description: "The token is not valid, or there is none",
  schema: Problem,
};

/** For nginx `auth_request`, Caddy `forward_auth` and Traefik ForwardAuth. */
export const auth: Route = {
  method: "GET",
  path: "/auth",
  summary: "Says to a proxy whether the bearer token is valid",
  answers: { 204: accepted, 401: refused },
  bearer: "always",
  forProxies: true,
  handler: (call) => answer(call, 204),
};

/** For Envoy, which asks with its client's method and path and lets only a 200 pass. */
export const authForEnvoy: Route = {
  method: "ANY",
  path: "/auth/*",
  summary: "The same for Envoy's ext_authz, with any method and path",
  answers: { 200: accepted, 401: refused },
  bearer: "always",
  forProxies: true,
  handler: (call) => answer(call, 200),
};

async function answer({ request, verify }: Call, status: number): Promise<Response> {
  const verified = await verify(bearerToken(request));
  return new Response(null, { status, headers: identity(verified) });
}

// A token that is remembered is remembered with them.
const known = new WeakMap<Verified, Record<string, string>>();

// Both are always there, if empty: a proxy that copies them overwrites what its client may have sent.
function identity(verified: Verified): Record<string, string> {
  let headers = known.get(verified);
  if (headers === undefined) {
    const { claims } = verified;
    headers = {
      "x-auth-subject": headerText(typeof claims.sub === "string" ? claims.sub : ""),
      "x-auth-claims": Buffer.from(JSON.stringify(claims)).toString("base64url"),
    };
    known.set(verified, headers);
  }
  return headers;
}

// Visible ASCII stays as it is; anything else, and the percent sign, is percent-encoded (RFC 3986 §2.1).
function headerText(text: string): string {
  return text.toWellFormed().replace(/[^\x21-\x7e]|%/gu, encodeURIComponent);
}
