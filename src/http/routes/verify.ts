import { refusedVerdict, textOf } from "../../jwt/claims.ts";
import { challenge, isTokenFault, requireTokenScopes } from "../guard.ts";
import { readForm, readJson } from "../body.ts";
import type { Call, Route } from "../route.ts";

const SHOWN = ["scope", "client_id", "username", "exp", "iat", "nbf", "sub", "aud", "iss", "jti"];

// RFC 7662 §2.2 requires strings where an application may have written numbers.
const readable = (name: string, value: unknown) =>
  ["sub", "jti"].includes(name) ? textOf(value) ?? value : value;

export const introspect: Route = {
  method: "POST",
  path: "/introspect",
  summary: "Token introspection (RFC 7662)",
  query: "refused",
  body: { schema: "IntrospectRequest", type: "application/x-www-form-urlencoded" },
  answers: {
    200: {
      description: "Whether the token is active, and its claims if it is",
      schema: "Introspection",
    },
  },
  bearer: { remoteScope: "introspect" },
  async handler({ request, verify }) {
    const { token, scope, aud, iss } = await readForm(request, "IntrospectRequest");
    try {
      const verified = await verify(token, { also: { audience: aud, issuer: iss } });
      requireTokenScopes(verified, scope);
      const { claims } = verified;
      const shown = Object.entries(claims).filter(([name]) => SHOWN.includes(name));
      return Response.json({
        active: true,
        token_type: "Bearer",
        ...Object.fromEntries(shown.map(([name, value]) => [name, readable(name, value)])),
      });
    } catch (error) {
      if (!isTokenFault(error)) throw error;
      return Response.json({ active: false });
    }
  },
};

/** Like `rekey verify --json`. */
export const verify: Route = {
  method: "POST",
  path: "/verify",
  summary: "Verifies a token and shows its claims",
  query: "refused",
  body: { schema: "VerifyRequest", type: "application/json" },
  answers: {
    200: { description: "The token is valid", schema: "Accepted" },
    401: { description: "The token is not valid", schema: "Refused" },
  },
  handler: (call) => respond(call, 401),
};

/** For web pages: browsers log every 401 as an error. */
export const verdict: Route = {
  method: "POST",
  path: "/verdict",
  summary: "Verifies a token; the status is 200 also when it is not valid",
  query: "refused",
  body: { schema: "VerifyRequest", type: "application/json" },
  answers: { 200: { description: "The verdict", schema: "Verdict" } },
  handler: (call) => respond(call, 200),
};

async function respond({ request, verify }: Call, refusedStatus: number): Promise<Response> {
  const asked = await readJson(request, "VerifyRequest");
  try {
    const verified = await verify(asked.token, {
      issuer: asked.iss,
      audience: asked.aud,
      subject: asked.sub,
      algorithm: asked.alg,
      leeway: asked.leeway,
      maxAge: asked.max_age,
      allowNoExpiry: asked.allow_no_exp,
      type: asked.typ,
    });
    requireTokenScopes(verified, asked.scope);
    return Response.json({ valid: true, ...verified });
  } catch (error) {
    if (!isTokenFault(error)) throw error;
    const headers = { "www-authenticate": challenge(error) };
    return Response.json(refusedVerdict(error), { status: refusedStatus, headers });
  }
}
