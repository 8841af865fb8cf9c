import type { Algorithm } from "../core/algorithms.ts";

/** What every token of an app must satisfy besides its signature. The operator sets it once, for every verification. */
export interface TokenPolicy {
  /** Tolerance for clocks that differ, in seconds. */
  readonly leeway: number;
  /** Whether a token without `exp` is accepted. */
  readonly allowNoExpiry: boolean;
  /** The issuer must be one of these; `undefined`: any, or none. */
  readonly issuer?: readonly string[] | undefined;
  /** One of the audiences must be one of these; `undefined`: any, or none. */
  readonly audience?: readonly string[] | undefined;
  /** The header's `typ` (RFC 7515 §4.1.9); `undefined`: any, or none. */
  readonly type?: string | undefined;
}

/** The policy when the operator has set none: a token needs an `exp`, and clocks are trusted. */
export const STANDARD_POLICY: TokenPolicy = { leeway: 0, allowNoExpiry: false };

/** Expected values of a claim: one, or one of several. `undefined`: any, or none. */
export type Expected = string | readonly string[] | undefined;

/** What a token's claims must say, beyond what RFC 7519 requires of every token. */
export interface ClaimPolicy {
  /** The issuer must be this one, or one of these. */
  readonly issuer?: Expected;
  /** One of the token's audiences must be this one, or one of these. */
  readonly audience?: Expected;
  readonly subject?: string | undefined;
  /** Tolerance for clocks that differ, in seconds. */
  readonly leeway: number;
  /** Longest time since `iat`, in seconds. */
  readonly maxAge?: number | undefined;
  /** Whether a token without `exp` is accepted. */
  readonly allowNoExpiry: boolean;
  /** Further requirements. They only refuse more tokens, so any caller may set them. */
  readonly also?: { readonly issuer?: Expected; readonly audience?: Expected } | undefined;
  /** The header's `typ`, compared without regard to case or a leading `application/` (RFC 7515 §4.1.9). */
  readonly type?: string | undefined;
}

/** What a caller requires of one token. What is left out is as the app's own policy has it. */
export interface VerifyPolicy extends PartialClaimPolicy {
  /** Default: that of the version that signed the token. The token never decides (RFC 8725 §3.1). */
  readonly algorithm?: Algorithm | undefined;
  /** Whether the app's own policy does not apply. */
  readonly ignoreAppPolicy?: boolean | undefined;
}

type PartialClaimPolicy = { readonly [Part in keyof ClaimPolicy]?: ClaimPolicy[Part] | undefined };

/** Parts of a policy, as flags and `--json` name them. */
export const POLICY_PARTS = ["leeway", "allow-no-exp", "iss", "aud", "typ"] as const;
export type PolicyPart = (typeof POLICY_PARTS)[number];

/** Longest tolerance, in seconds: a day. */
export const MOST_LEEWAY_SECONDS = 86_400;

/** Whether two policies are equal. */
export function isSamePolicy(one: TokenPolicy, other: TokenPolicy): boolean {
  return policyText(one) === policyText(other);
}

/** The stored form of a policy; equal policies have equal texts. */
export function policyText({ leeway, allowNoExpiry, issuer, audience, type }: TokenPolicy): string {
  return JSON.stringify({ leeway, allowNoExpiry, issuer, audience, type });
}

/** Whether a value is a policy as {@linkcode policyText} writes it. */
export function isPolicy(value: unknown): value is TokenPolicy {
  if (typeof value !== "object" || value === null) return false;
  const { leeway, allowNoExpiry, issuer, audience, type } = value as Record<string, unknown>;
  return typeof leeway === "number" && leeway >= 0 && leeway <= MOST_LEEWAY_SECONDS &&
    typeof allowNoExpiry === "boolean" && isTexts(issuer) && isTexts(audience) &&
    (type === undefined || typeof type === "string");
}

function isTexts(value: unknown): boolean {
  if (value === undefined) return true;
  return Array.isArray(value) && value.length > 0 &&
    value.every((text) => typeof text === "string");
}
