import { asRefusal, usageError } from "../../core/errors.ts";
import type { PolicyChange } from "../../secret/backend.ts";
import {
  jwksSeconds,
  type PolicyPart,
  STANDARD_POLICY,
  type TokenPolicy,
} from "../../jwt/policy.ts";
import type { Context } from "../context.ts";
import { describeSeconds, printable, table } from "../format.ts";

/** Shows the policy. */
export async function policyShow(_options: unknown, { secrets, output }: Context): Promise<void> {
  const { installation } = await secrets.open();
  // The local policy is shown even if the fleet's state is not known.
  const unknown = await secrets.openFresh().then(() => undefined, asRefusal);
  const { policy } = installation;
  output.result(describePolicy(policy), human(policy));
  if (unknown !== undefined) throw unknown;
}

/** Sets parts of the policy. */
export async function policySet(flags: PolicyFlags, context: Context): Promise<void> {
  requirePolicyFlags(flags);
  await change((before) => withFlags(before(), flags), context);
}

/** Clears parts of the policy; all parts when none is named. */
export async function policyClear(
  { part: parts }: { part: readonly PolicyPart[] },
  context: Context,
): Promise<void> {
  const all = parts.length === 0;
  await change((before) => all ? STANDARD_POLICY : withoutParts(before(), parts), context);
}

/** Applies policy flags of commands that make or import a secret. */
export async function applyPolicy(flags: PolicyFlags, { secrets }: Context): Promise<void> {
  if (!hasPolicyFlags(flags)) return;
  await secrets.underLock((installation, backend) =>
    backend.setPolicy(installation, (before) => withFlags(before(), flags), policyText)
  );
}

async function change(
  make: PolicyChange,
  { secrets, output }: Context,
): Promise<void> {
  const policy = await secrets.underLock((installation, backend) =>
    backend.setPolicy(installation, make, policyText)
  );
  const app = secrets.environment.app.name;
  output.result(describePolicy(policy), [
    `Tokens of ${app} are verified with: ${printable(policyText(policy))}`,
  ]);
}

function human(policy: TokenPolicy): string[] {
  const { leeway, allowNoExpiry, issuer, audience, type } = policy;
  return table([
    ["leeway", `${leeway} s`],
    ["allow-no-exp", allowNoExpiry ? "yes" : "no"],
    ["iss", issuer?.join(", ") ?? "any"],
    ["aud", audience?.join(", ") ?? "any"],
    ["typ", type ?? "any"],
    ["jwks-max-age", `${jwksSeconds(policy)} s`],
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

/** A policy with `--json`. */
export function describePolicy(policy: TokenPolicy) {
  const { leeway, allowNoExpiry, issuer, audience, type } = policy;
  return {
    leeway_seconds: leeway,
    allow_no_exp: allowNoExpiry,
    iss: issuer ?? null,
    aud: audience ?? null,
    typ: type ?? null,
    jwks_max_age_seconds: jwksSeconds(policy),
  };
}

/** A policy in one line, for people and the audit log. */
export function policyText(policy: TokenPolicy): string {
  const { leeway, allowNoExpiry, issuer, audience, type, jwksMaxAge } = policy;
  return [
    leeway === 0 ? "no leeway" : `leeway ${describeSeconds(leeway)}`,
    allowNoExpiry ? "exp may be missing" : "exp needed",
    ...issuer === undefined ? [] : [`iss ${issuer.join(" or ")}`],
    ...audience === undefined ? [] : [`aud ${audience.join(" or ")}`],
    ...type === undefined ? [] : [`typ ${type}`],
    ...jwksMaxAge === undefined ? [] : [`public keys kept ${describeSeconds(jwksMaxAge)}`],
  ].join(", ");
}

/** @throws {RekeyError} `usage` when no policy flag is set. */
export function requirePolicyFlags(flags: PolicyFlags): void {
  if (hasPolicyFlags(flags)) return;
  throw usageError(
    "Cannot set the policy: no flag was given",
    "`rekey policy set --help` shows its flags",
  );
}
