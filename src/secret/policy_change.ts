import { EVENTS } from "../audit/events.ts";
import { baseRevisionOf } from "../cluster/base_revision.ts";
import { propose } from "../cluster/commit.ts";
import type { Installation } from "../store/installation.ts";
import { isSamePolicy, type TokenPolicy, writePolicy } from "../store/token_policy.ts";
import { retryOnConflict } from "./retry_on_conflict.ts";
import { followOwn, notTakenOver } from "./shared_rotation.ts";
import { isShared } from "./sharing.ts";

/** A policy made of the one that is there, which may be damaged: it is read only by a change that keeps a part of it. */
export type PolicyChange = (before: () => TokenPolicy) => TokenPolicy;

/**
 * Changes what every token must be; running servers go by it from their next request on. Machines that share the secret
 * share its policy. Call it under the lock, after recovery.
 *
 * @param described the new policy in words, for the audit log.
 * @returns the policy that counts now.
 * @throws {RekeyError} `etcd_…` or `fleet_…` when it is shared and etcd cannot be used; nothing is changed then.
 */
export async function changePolicy(
  installation: Installation,
  change: PolicyChange,
  described: (policy: TokenPolicy) => string,
): Promise<TokenPolicy> {
  if (isShared(installation)) return await changeShared(installation, change, described);
  const audit = await installation.audit();
  return installation.database.transaction(() => {
    const policy = change(() => installation.policy);
    if (writePolicy(installation.meta, policy)) {
      audit.append({ event: EVENTS.policyChanged, reason: described(policy) });
    }
    return policy;
  });
}

async function changeShared(
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
