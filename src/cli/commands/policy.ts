import { asRefusal } from "../../core/errors.ts";
import type { PolicyChange } from "../../secret/policy_change.ts";
import { type PolicyPart, STANDARD_POLICY, type TokenPolicy } from "../../store/token_policy.ts";
import type { Context } from "../context.ts";
import { printable, table } from "../describe.ts";
import {
  describePolicy,
  mustSayPolicy,
  type PolicyFlags,
  policyText,
  saysPolicy,
  withFlags,
  withoutParts,
} from "../policy_flags.ts";

/** Shows what every token must be. */
export async function policyShow(_options: unknown, { secrets, output }: Context): Promise<void> {
  const { installation } = await secrets.open();
  // What is known here is shown all the same.
  const unknown = await secrets.ensureFresh().then(() => undefined, asRefusal);
  const { policy } = installation;
  output.result(describePolicy(policy), human(policy));
  if (unknown !== undefined) throw unknown;
}

/** Sets parts of it. */
export async function policySet(flags: PolicyFlags, context: Context): Promise<void> {
  mustSayPolicy(flags);
  await change((before) => withFlags(before(), flags), context);
}

/** Takes parts of it back, all of them when none is named. */
export async function policyClear(parts: readonly PolicyPart[], context: Context): Promise<void> {
  const all = parts.length === 0;
  await change((before) => all ? STANDARD_POLICY : withoutParts(before(), parts), context);
}

/** For commands that make or take up a secret: what they say of its tokens counts from then on. */
export async function applyPolicy(flags: PolicyFlags, { secrets }: Context): Promise<void> {
  if (!saysPolicy(flags)) return;
  await secrets.setPolicy((before) => withFlags(before(), flags), policyText);
}

async function change(
  make: PolicyChange,
  { secrets, output }: Context,
): Promise<void> {
  const policy = await secrets.setPolicy(make, policyText);
  const app = secrets.environment.app.name;
  output.result(describePolicy(policy), [
    `Tokens of ${app} are verified with: ${printable(policyText(policy))}`,
  ]);
}

function human({ leeway, allowNoExpiry, issuer, audience, type }: TokenPolicy): string[] {
  return table([
    ["leeway", `${leeway} s`],
    ["allow-no-exp", allowNoExpiry ? "yes" : "no"],
    ["iss", issuer?.join(", ") ?? "any"],
    ["aud", audience?.join(", ") ?? "any"],
    ["typ", type ?? "any"],
  ]).map(printable);
}
