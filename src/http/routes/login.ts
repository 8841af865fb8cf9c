import { rfc3339 } from "../../core/clock.ts";
import { countedAddress } from "../address.ts";
import { readJson } from "../body.ts";
import type { Call, Route } from "../route.ts";
import { LoginAnswer, LoginRequest, Problem } from "../schemas.ts";

/** A token for a user's name and password. */
export const login: Route = {
  method: "POST",
  path: "/login",
  summary: "Answers a token for a user's name and password",
  body: { schema: LoginRequest, type: "application/json" },
  answers: {
    200: { description: "The token; with it a session begins", schema: LoginAnswer },
    401: { description: "Wrong name or password", schema: Problem },
    429: { description: "Too many failures: wait, then try again", schema: Problem },
  },
  async handler(call) {
    const { name, password } = await readJson(call.request, LoginRequest);
    const credentials = { name, password, address: clientAddress(call) };
    const { token, jti, expiresAt } = await call.secretHost.login(credentials);
    return Response.json({ token, token_type: "Bearer", jti, expires_at: rfc3339(expiresAt) });
  },
};

// The last entry is the one that our own proxy has added; the ones before it are anybody's.
function clientAddress({ request, address, trustForwarded }: Call): string | undefined {
  const forwarded = trustForwarded ? request.headers.get("x-forwarded-for") : null;
  const last = forwarded?.split(",").at(-1)?.trim();
  return countedAddress(last ?? "") ?? (address && countedAddress(address));
}
