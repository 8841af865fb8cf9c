import { asRefusal, type RekeyError, usageError } from "../../core/errors.ts";
import type { PolicyChange } from "../../secret/backend.ts";
import type { FirstPolicy } from "../../secret/first_policy.ts";
import {
  jwksSeconds,
  POLICY_PARTS,
  type PolicyPart,
  STANDARD_POLICY,
  type TokenPolicy,
} from "../../jwt/policy.ts";
import { changeRetention, type RetentionChange } from "../../secret/retention.ts";
import {
  readRetention,
  type Retention,
  RETENTION_PARTS,
  type RetentionPart,
} from "../../store/sqlite/retention.ts";
import type { Context } from "../context.ts";
import { describeSeconds, printable, table } from "../format.ts";
import { describePolicy, policyLine } from "../policy_line.ts";
import {
  describeRetention,
  hasRetentionFlags,
  type RetentionFlags,
  retentionText,
  withoutRetention,
  withRetention,
} from "./retention.ts";

/** Shows the policy. */
export async function policyShow(_options: unknown, { secrets, output }: Context): Promise<void> {
  const { installation } = await secrets.open();
  // The local policy is shown even if the fleet's state is not known.
  const unknown = await secrets.openFresh().then(() => undefined, asRefusal);
  const { policy } = installation;
  const retention = readRetention(installation.meta);
  output.result(
    { ...describePolicy(policy), ...describeRetention(retention) },
    human(policy, retention),
  );
  if (unknown !== undefined) throw unknown;
}

/** Sets parts of the policy. */
export async function policySet(
  flags: PolicyFlags & RetentionFlags,
  context: Context,
): Promise<void> {
  const isAboutTokens = hasPolicyFlags(flags);
  if (!isAboutTokens && !hasRetentionFlags(flags)) throw noFlag();
  await change({
    ...isAboutTokens ? { policy: (before) => withFlags(before(), flags) } : {},
    ...hasRetentionFlags(flags) ? { retention: (before) => withRetention(before(), flags) } : {},
  }, context);
}

/** Clears parts of the policy; all parts when none is named. */
export async function policyClear(
  { part: named }: { part: readonly (PolicyPart | RetentionPart)[] },
  context: Context,
): Promise<void> {
  const parts = named.length === 0 ? [...POLICY_PARTS, ...RETENTION_PARTS] : named;
  const tokens = POLICY_PARTS.filter((part) => parts.includes(part));
  const kept = RETENTION_PARTS.filter((part) => parts.includes(part));
  const all = tokens.length === POLICY_PARTS.length;
  await change({
    ...tokens.length === 0
      ? {}
      : { policy: (before) => all ? STANDARD_POLICY : withoutParts(before(), tokens) },
    ...kept.length === 0 ? {} : { retention: (before) => withoutRetention(before, kept) },
  }, context);
}

/** The policy of a first secret that policy flags ask for. */
export function firstPolicy(flags: PolicyFlags): FirstPolicy | undefined {
  if (!hasPolicyFlags(flags)) return undefined;
  const policy = withFlags(STANDARD_POLICY, flags);
  return { policy, described: policyLine(policy) };
}

/** Applies policy flags of commands that make or import a secret to one that is there. */
export async function applyPolicy(flags: PolicyFlags, { secrets }: Context): Promise<void> {
  if (!hasPolicyFlags(flags)) return;
  await secrets.underLock((installation, backend) =>
    backend.setPolicy(installation, (before) => withFlags(before(), flags), policyLine)
  );
}

interface Changes {
  readonly policy?: PolicyChange;
  readonly retention?: RetentionChange;
}

async function change(
  { policy, retention }: Changes,
  { secrets, output }: Context,
): Promise<void> {
  const now = await secrets.underLock(async (installation, backend) => {
    if (retention !== undefined) await changeRetention(installation, retention, retentionText);
    if (policy !== undefined) await backend.setPolicy(installation, policy, policyLine);
    return { policy: installation.policy, retention: readRetention(installation.meta) };
  });
  const app = secrets.environment.app.name;
  output.result({ ...describePolicy(now.policy), ...describeRetention(now.retention) }, [
    ...policy === undefined
      ? []
      : [`Tokens of ${app} are verified with: ${printable(policyLine(now.policy))}`],
    ...retention === undefined ? [] : [`On this machine ${retentionText(now.retention)}`],
  ]);
}

function human(policy: TokenPolicy, { all, retrievals }: Retention): string[] {
  const { leeway, allowNoExpiry, issuer, audience, type } = policy;
  return table([
    ["leeway", `${leeway} s`],
    ["allow-no-exp", allowNoExpiry ? "yes" : "no"],
    ["iss", issuer?.join(", ") ?? "any"],
    ["aud", audience?.join(", ") ?? "any"],
    ["typ", type ?? "any"],
    ["jwks-max-age", `${jwksSeconds(policy)} s`],
    ["audit-retention", all === undefined ? "off" : describeSeconds(all)],
    ["retrievals-retention", retrievals === undefined ? "off" : describeSeconds(retrievals)],
  ]).map(printable);
}

/** Policy flags. Durations in seconds. */
export interface PolicyFlags {
  readonly leeway?: number;
  readonly allowNoExp?: boolean;
  readonly iss?: readonly string[];
  readonly aud?: readonly string[];
  readonly typ?: string;
  readonly jwksMaxAge?: number;
}

/** Whether any policy flag is set. */
export function hasPolicyFlags(flags: PolicyFlags): boolean {
  const { leeway, allowNoExp, iss, aud, typ, jwksMaxAge } = flags;
  return [leeway, allowNoExp, iss, aud, typ, jwksMaxAge].some((value) => value !== undefined);
}

/** A policy with the parts that flags set replaced. */
export function withFlags(before: TokenPolicy, flags: PolicyFlags): TokenPolicy {
  const { leeway = before.leeway, allowNoExp = before.allowNoExpiry } = flags;
  const { iss = before.issuer, aud = before.audience, typ = before.type } = flags;
  const [issuer, audience] = [iss, aud].map((names) => names && [...new Set(names)]);
  const { jwksMaxAge = before.jwksMaxAge } = flags;
  return { leeway, allowNoExpiry: allowNoExp, issuer, audience, type: typ, jwksMaxAge };
}

/** A policy without some of its parts. */
export function withoutParts(before: TokenPolicy, parts: readonly PolicyPart[]): TokenPolicy {
  const gone = (part: PolicyPart) => parts.includes(part);
  return {
    leeway: gone("leeway") ? 0 : before.leeway,
    allowNoExpiry: !gone("allow-no-exp") && before.allowNoExpiry,
    issuer: gone("iss") ? undefined : before.issuer,
    audience: gone("aud") ? undefined : before.audience,
    type: gone("typ") ? undefined : before.type,
    jwksMaxAge: gone("jwks-max-age") ? undefined : before.jwksMaxAge,
  };
}

function noFlag(): RekeyError {
  return usageError(
    "Cannot set the policy: no flag was given",
    "`rekey policy set --help` shows its flags",
  );
}
