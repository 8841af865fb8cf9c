import { rfc3339 } from "../../core/clock.ts";
import { clientAddress } from "../client_address.ts";
import { countedAddress } from "../host_names.ts";
import { readJson } from "../body.ts";
import type { Route } from "../route.ts";
import { textOf } from "../../jwt/claims.ts";
import type { JsonObject } from "../../jwt/jws.ts";

/** Issues a token for a user name and password. */
export const login: Route = {
  method: "POST",
  path: "/login",
  summary: "Issues a token for a user name and password",
  body: { schema: "LoginRequest", type: "application/json" },
  answers: {
    200: { description: "The token of a new session", schema: "LoginAnswer" },
    401: { description: "Wrong name or password", schema: "Problem" },
    429: { description: "Too many failures: wait, then try again", schema: "Problem" },
  },
  async handler(call) {
    const { name, password } = await readJson(call.request, "LoginRequest");
    const address = countedAddress(clientAddress(call) ?? "");
    const credentials = { name, password, address };
    const { token, jti, expiresAt } = await call.secretHost.login(credentials);
    return Response.json({ token, token_type: "Bearer", jti, expires_at: rfc3339(expiresAt) });
  },
};

export const session: Route = {
  method: "GET",
  path: "/session",
  summary: "Shows the subject and expiry of the bearer token",
  query: "refused",
  answers: { 200: { description: "The session", schema: "SessionAnswer" } },
  bearer: "always",
  async handler({ request, verifyBearer }) {
    const { version, kid, claims } = await verifyBearer(request);
    return Response.json({
      sub: text(claims, "sub"),
      jti: text(claims, "jti"),
      scope: typeof claims.scope === "string" ? claims.scope : null,
      version,
      kid,
      issued_at: instant(claims, "iat"),
      expires_at: instant(claims, "exp"),
    });
  },
};

export const logout: Route = {
  method: "POST",
  path: "/logout",
  summary: "Ends the session of the bearer token",
  answers: { 204: { description: "The token is refused from now on" } },
  bearer: "always",
  async handler({ request, verifyBearer, secretHost }) {
    await secretHost.endSession(await verifyBearer(request));
    return new Response(null, { status: 204 });
  },
};

function text(claims: JsonObject, name: string): string | null {
  return textOf(claims[name]) ?? null;
}

function instant(claims: JsonObject, name: string): string | null {
  const value = claims[name];
  return typeof value === "number" ? rfc3339(value * 1000) : null;
}
