import { ClaimsError, type Verified } from "../auth/verifier.ts";
import { insufficientScope } from "./bearer.ts";

/**
 * Whether a token may do what asks for a scope (RFC 6749 §3.3): it has that one, or `admin`.
 *
 * @throws {HttpRefusal} 403 with a challenge that names the scope.
 */
export function mustHaveScope({ claims }: Verified, scope: string): void {
  const scopes = scopesOf(claims);
  if (!scopes.includes(scope) && !scopes.includes("admin")) throw insufficientScope(scope);
}

/** Those of an application's scopes that a token has not. None stands for another one here, `admin` neither. */
export function missingScopes({ claims }: Verified, wanted: readonly string[]): string[] {
  const scopes = scopesOf(claims);
  return wanted.filter((scope) => !scopes.includes(scope));
}

/**
 * Refuses a token that has not all of some scopes, as one whose claim is not the one expected.
 *
 * @param wanted separated by spaces; `undefined` for none.
 * @throws {ClaimsError} `claim_mismatch`.
 */
export function refuseWithoutScope(verified: Verified, wanted: string | undefined): void {
  const all = (wanted ?? "").split(" ").filter((scope) => scope !== "");
  if (missingScopes(verified, all).length === 0) return;
  const reason = verified.claims.scope === undefined
    ? "is missing"
    : "has not all that are required";
  throw new ClaimsError([{ claim: "scope", code: "claim_mismatch", reason }]);
}

function scopesOf({ scope }: Verified["claims"]): string[] {
  return typeof scope === "string" ? scope.split(" ") : [];
}
