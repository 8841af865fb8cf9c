import { textOf } from "../../auth/claims.ts";
import { isTokenFault } from "../bearer.ts";
import { readForm } from "../body.ts";
import type { Route } from "../route.ts";
import { Introspection, IntrospectRequest } from "../schemas.ts";
import { refuseWithoutScope } from "../scope.ts";

const SHOWN = ["scope", "client_id", "username", "exp", "iat", "nbf", "sub", "aud", "iss", "jti"];

// RFC 7662 §2.2 has strings, where an application may have written numbers.
const readable = (name: string, value: unknown) =>
  ["sub", "jti"].includes(name) ? textOf(value) ?? value : value;

/** Token introspection, RFC 7662. */
export const introspect: Route = {
  method: "POST",
  path: "/introspect",
  summary: "Says what a token is worth (RFC 7662)",
  query: "refused",
  body: { schema: IntrospectRequest, type: "application/x-www-form-urlencoded" },
  answers: {
    200: {
      description: "What it is worth; of one that is not active no more",
      schema: Introspection,
    },
  },
  bearer: { remoteScope: "introspect" },
  async handler({ request, verify }) {
    const { token, scope, aud, iss } = await readForm(request, IntrospectRequest);
    try {
      const verified = await verify(token, { also: { audience: aud, issuer: iss } });
      refuseWithoutScope(verified, scope);
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
