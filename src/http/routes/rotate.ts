import { textOf } from "../../jwt/claims.ts";
import { parseDuration } from "../../core/clock.ts";
import { bearerToken, credentials, requireScope } from "../guard.ts";
import { readJson } from "../body.ts";
import type { Route } from "../route.ts";

/** A rotation, with a token of `rekey issue --scope admin`. */
export const rotate: Route = {
  method: "POST",
  path: "/rotate",
  summary: "Replaces the secret: every session ends, including that of the caller",
  query: "refused",
  body: { schema: "RotateRequest", type: "application/json", optional: true },
  answers: { 200: { description: "The new version", schema: "RotateAnswer" } },
  bearer: "always",
  async handler({ request, verifyBearer, secretHost }) {
    const verified = await verifyBearer(request);
    requireScope(verified, "admin");
    const { reason, grace, if_older_than, request_id } = await readJson(
      request,
      "RotateRequest",
      {},
    );
    const by = {
      token: bearerToken(credentials(request)),
      subject: textOf(verified.claims.sub),
    };
    // The secret host verifies the token again, since another rotation may come first.
    const answer = await secretHost.rotate(by, {
      reason,
      graceMs: parseDuration(grace ?? "0s") * 1000,
      ifOlderThanMs: if_older_than === undefined ? undefined : parseDuration(if_older_than) * 1000,
      requestId: request_id,
    });
    return Response.json(answer);
  },
};
