import { EVENTS } from "../audit/events.ts";
import type { TokenPolicy } from "../jwt/policy.ts";
import { writePolicy } from "../store/token_policy.ts";
import { type Version, wasUsed } from "../store/sqlite/versions.ts";
import { RekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import type { Backend, BackendAt, PolicyChange } from "./backend.ts";
import { planLocal } from "./create.ts";
import { endGrace } from "./grace.ts";
import { rotateKek } from "./rotate_kek.ts";
import { setUsage } from "./key_usage.ts";
import { recover } from "./recover.ts";
import { relocate } from "./move.ts";
import { nextLocation, rotate } from "./rotate.ts";

/** The backend of a local secret. */
export const LOCAL: Backend = {
  isShared: false,
  planFirst: planLocal,
  rotate,
  nextLocation,
  revoke,
  rotateKek,
  setPolicy: changePolicy,
  setUsage,
  move: relocate,
  remember: (installation) => installation.remember(false),
  wasUsed: ({ database }) => wasUsed(database),
  ensureFresh: () => Promise.resolve(),
  catchUp: () => Promise.resolve(false),
  prepare: () => Promise.reject(notShared()),
  activate: () => Promise.reject(notShared()),
  shareEnded: () => Promise.resolve(0),
  untilFollowed: () => Promise.resolve([]),
};

/** For a program that never opens a shared secret. */
export const localOnly: BackendAt = (location) => {
  if (location !== "etcd") return LOCAL;
  throw new Error("This SecretManager has no backend for a shared secret");
};

async function revoke(installation: Installation): Promise<Version[]> {
  const ended = installation.versions.previous();
  await endGrace(installation, ended, "revoked");
  await recover(installation, "held");
  return ended;
}

/**
 * Changes the token policy; running servers apply it from their next request. Call it under the lock, after recovery.
 *
 * @param described the new policy in words, for the audit log.
 * @returns the new policy.
 */
async function changePolicy(
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

function notShared(): RekeyError {
  return new RekeyError(
    "failed",
    "Cannot rotate in two phases: no other machine shares the secret",
    {
      hint: "`rekey rotate` does it at once; `rekey store move etcd` shares it",
    },
  );
}
