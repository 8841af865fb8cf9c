import { bearerToken, credentials } from "../../../src/http/guard.ts";
import type { Services } from "../../../src/http/route.ts";

/** `verifyBearer` of a server that remembers nothing. */
export function bearing(verify: Services["verify"]): Services["verifyBearer"] {
  return (request, policy) => verify(bearerToken(credentials(request)), policy);
}
