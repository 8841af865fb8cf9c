import { ClaimsError } from "../../auth/verifier.ts";
import type { RekeyError } from "../../core/errors.ts";
import { isTokenFault } from "../bearer.ts";
import { readJson } from "../body.ts";
import type { Route } from "../route.ts";
import { Accepted, Refused, VerifyRequest } from "../schemas.ts";

/** What `rekey verify --json` prints, over HTTP. */
export const verify: Route = {
  method: "POST",
  path: "/verify",
  summary: "Verifies a token and shows its claims",
  body: { schema: VerifyRequest, type: "application/json" },
  answers: {
    200: { description: "The token is valid", schema: Accepted },
    401: { description: "The token is not valid", schema: Refused },
  },
  async handler({ request, verify }) {
    const asked = await readJson(request, VerifyRequest);
    try {
      const verified = await verify(asked.token, {
        issuer: asked.iss,
        audience: asked.aud,
        subject: asked.sub,
        algorithm: asked.alg,
        leeway: asked.leeway ?? 0,
        maxAge: asked.max_age,
        allowNoExpiry: asked.allow_no_exp ?? false,
      });
      return Response.json({ valid: true, ...verified });
    } catch (error) {
      if (!isTokenFault(error)) throw error;
      return Response.json(verdict(error), { status: 401 });
    }
  },
};

function verdict(error: RekeyError) {
  const { code, message } = error;
  const failures = error instanceof ClaimsError ? { failures: error.failures } : {};
  return { valid: false, code, message, ...failures };
}
