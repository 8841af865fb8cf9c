import type { Verified } from "../auth/verifier.ts";
import { insufficientScope } from "./bearer.ts";

/**
 * Whether a token may do what asks for a scope (RFC 6749 §3.3): it has that one, or `admin`.
 *
 * @throws {HttpRefusal} 403 with a challenge that names the scope.
 */
export function mustHaveScope({ claims }: Verified, scope: string): void {
  const scopes = typeof claims.scope === "string" ? claims.scope.split(" ") : [];
  if (!scopes.includes(scope) && !scopes.includes("admin")) throw insufficientScope(scope);
}
