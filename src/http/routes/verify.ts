import { ClaimsError } from "../../auth/verifier.ts";
import type { RekeyError } from "../../core/errors.ts";
import { challenge, isTokenFault } from "../bearer.ts";
import { readJson } from "../body.ts";
import type { Call, Route } from "../route.ts";
import { refuseWithoutScope } from "../scope.ts";
import { Accepted, Refused, Verdict, VerifyRequest } from "../schemas.ts";

/** What `rekey verify --json` prints, over HTTP. */
export const verify: Route = {
  method: "POST",
  path: "/verify",
  summary: "Verifies a token and shows its claims",
  query: "refused",
  body: { schema: VerifyRequest, type: "application/json" },
  answers: {
    200: { description: "The token is valid", schema: Accepted },
    401: { description: "The token is not valid", schema: Refused },
  },
  handler: (call) => judge(call, 401),
};

/** For pages: a browser puts every 401 into its console as a failure to load something. */
export const verdict: Route = {
  method: "POST",
  path: "/verdict",
  summary: "Verifies a token; the answer has status 200 whatever the verdict is",
  query: "refused",
  body: { schema: VerifyRequest, type: "application/json" },
  answers: { 200: { description: "The verdict", schema: Verdict } },
  handler: (call) => judge(call, 200),
};

async function judge({ request, verify }: Call, refusedStatus: number): Promise<Response> {
  const asked = await readJson(request, VerifyRequest);
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
    refuseWithoutScope(verified, asked.scope);
    return Response.json({ valid: true, ...verified });
  } catch (error) {
    if (!isTokenFault(error)) throw error;
    const headers = { "www-authenticate": challenge(error) };
    return Response.json(describe(error), { status: refusedStatus, headers });
  }
}

function describe(error: RekeyError) {
  const { code, message } = error;
  const failures = error instanceof ClaimsError ? { failures: error.failures } : {};
  return { valid: false, code, message, ...failures };
}
