import { EVENTS } from "../audit/events.ts";
import { STANDARD_POLICY, type TokenPolicy } from "../jwt/policy.ts";
import type { Installation } from "../store/installation.ts";
import { writePolicy } from "../store/sqlite/meta.ts";
import type { Make } from "./create.ts";

/** The token policy that a first version begins with. */
export interface FirstPolicy {
  readonly policy: TokenPolicy;
  /** In words, for the audit log. */
  readonly described: string;
}

/**
 * Writes the policy and makes the first version. The policy is there before the version, so that no verifier ever gets a
 * public set that it may keep for another time.
 *
 * @param first `undefined`: the standard one, since a creation that failed may have left another.
 * @returns what `make` does.
 */
export async function makeWithPolicy(
  installation: Installation,
  make: Make,
  first: FirstPolicy | undefined,
): Promise<unknown> {
  const { database, meta } = installation;
  database.transaction(() => writePolicy(meta, first?.policy ?? STANDARD_POLICY));
  const made = await make(installation);
  if (made === false || first === undefined) return made;
  const audit = await installation.audit();
  database.transaction(() =>
    audit.append({ event: EVENTS.policyChanged, reason: first.described })
  );
  return made;
}
