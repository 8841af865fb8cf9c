import { EVENTS } from "../audit/events.ts";
import { baseRevisionOf } from "./base_revision.ts";
import { propose, retryOnConflict } from "./commit.ts";
import type { PolicyChange } from "../secret/backend.ts";
import type { Installation } from "../store/installation.ts";
import type { TokenPolicy } from "../jwt/policy.ts";
import { isSamePolicy } from "../store/token_policy.ts";
import { followOwn, notTakenOver } from "./rotate.ts";

/**
 * Changes the policy that machines share with their secret. Call it under the lock, after recovery.
 *
 * @throws {RekeyError} `etcd_…` or `fleet_…` when etcd cannot be used; nothing is changed then.
 */
export async function changeSharedPolicy(
  installation: Installation,
  change: PolicyChange,
  described: (policy: TokenPolicy) => string,
): Promise<TokenPolicy> {
  return await retryOnConflict(async () => {
    const { state: before, snapshot: base, added } = await baseRevisionOf(installation);
    const policy = change(() => before.policy ?? installation.policy);
    if (before.policy !== undefined && isSamePolicy(before.policy, policy)) return policy;
    const state = { ...before, change: before.change + 1, policy };
    const snapshot = await propose(installation, { base, state, added });
    if (snapshot === undefined) return undefined;
    if (!await followOwn(installation, snapshot)) throw notTakenOver();
    const audit = await installation.audit();
    installation.database.transaction(() =>
      audit.append({ event: EVENTS.policyChanged, location: "etcd", reason: described(policy) })
    );
    return policy;
  });
}
