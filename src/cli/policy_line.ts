import { jwksSeconds, type TokenPolicy } from "../jwt/policy.ts";
import { describeSeconds } from "./format.ts";

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
export function policyLine(policy: TokenPolicy): string {
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
