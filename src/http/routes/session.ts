import { textOf } from "../../auth/claims.ts";
import type { JsonObject } from "../../auth/jws.ts";
import { rfc3339 } from "../../core/clock.ts";
import { bearerToken } from "../bearer.ts";
import type { Route } from "../route.ts";
import { SessionAnswer } from "../schemas.ts";

/** Who am I. */
export const session: Route = {
  method: "GET",
  path: "/session",
  summary: "Says whose the bearer token is, and how long it lasts",
  query: "refused",
  answers: { 200: { description: "The session", schema: SessionAnswer } },
  bearer: "always",
  async handler({ request, verify }) {
    const { version, kid, claims } = await verify(bearerToken(request));
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

/** The end of a session. */
export const logout: Route = {
  method: "POST",
  path: "/logout",
  summary: "Ends the session of the bearer token",
  answers: { 204: { description: "The token is refused from here on" } },
  bearer: "always",
  async handler({ request, verify, secretHost }) {
    await secretHost.endSession(await verify(bearerToken(request)));
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
