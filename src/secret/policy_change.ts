import { EVENTS } from "../audit/events.ts";
import type { Installation } from "../store/installation.ts";
import { type TokenPolicy, writePolicy } from "../store/token_policy.ts";

/** A policy made of the one that is there, which may be damaged: it is read only by a change that keeps a part of it. */
export type PolicyChange = (before: () => TokenPolicy) => TokenPolicy;

/**
 * Changes what every token must be; running servers go by it from their next request on. Call it under the lock, after
 * recovery.
 *
 * @param described the new policy in words, for the audit log.
 * @returns the policy that counts now.
 */
export async function changePolicy(
  installation: Installation,
  change: PolicyChange,
  described: (policy: TokenPolicy) => string,
): Promise<TokenPolicy> {
  const audit = await installation.audit();
  return installation.database.transaction(() => {
    const policy = change(() => installation.policy);
    if (writePolicy(installation.meta, policy)) {
      audit.append({ event: EVENTS.policyChanged, reason: described(policy) });
    }
    return policy;
  });
}
