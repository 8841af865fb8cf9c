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
  /** How long verifiers may keep the public set, in seconds; `undefined`: ten minutes. */
  readonly jwksMaxAge?: number | undefined;
  /** Until when verifiers may keep a set that they got when they could keep it longer, in milliseconds since the epoch. */
  readonly jwksKeptUntil?: number | undefined;
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
export const POLICY_PARTS = [
  "leeway",
  "allow-no-exp",
  "iss",
  "aud",
  "typ",
  "jwks-max-age",
] as const;
export type PolicyPart = (typeof POLICY_PARTS)[number];

/** Longest tolerance, in seconds: a day. */
export const MOST_LEEWAY_SECONDS = 86_400;

/** Longest time that verifiers may keep the public set, in seconds: a day. */
export const MOST_JWKS_SECONDS = 86_400;

/** How long they may keep it unless the operator says otherwise, in seconds. */
export const STANDARD_JWKS_SECONDS = 600;

/** How long verifiers may keep a set that they get now, in seconds. */
export function jwksSeconds({ jwksMaxAge }: TokenPolicy): number {
  return jwksMaxAge ?? STANDARD_JWKS_SECONDS;
}

/**
 * A policy after a change of another one. If verifiers may keep the public set for a shorter time from now on, sets that
 * they have already still count for the longer one.
 *
 * @param now milliseconds since the epoch.
 */
export function changedPolicy(before: TokenPolicy, after: TokenPolicy, now: number): TokenPolicy {
  const kept = keptUntil(before, now);
  const until = jwksSeconds(after) < jwksSeconds(before) ? now + jwksSeconds(before) * 1000 : 0;
  const jwksKeptUntil = Math.max(kept, until);
  return { ...after, jwksKeptUntil: jwksKeptUntil > now ? jwksKeptUntil : undefined };
}

/**
 * Until when a verifier may keep a set that it got before now, in milliseconds since the epoch.
 *
 * @param now milliseconds since the epoch.
 */
export function setKeptUntil(policy: TokenPolicy, now: number): number {
  return Math.max(now + jwksSeconds(policy) * 1000, keptUntil(policy, now));
}

// A clock that was ahead may have recorded a later time than any verifier keeps a set.
function keptUntil({ jwksKeptUntil = 0 }: TokenPolicy, now: number): number {
  return Math.min(jwksKeptUntil, now + MOST_JWKS_SECONDS * 1000);
}

/** Whether two policies are equal. */
export function isSamePolicy(one: TokenPolicy, other: TokenPolicy): boolean {
  return policyText(one) === policyText(other);
}

/** The stored form of a policy; equal policies have equal texts. */
export function policyText(policy: TokenPolicy): string {
  const { leeway, allowNoExpiry, issuer, audience, type, jwksMaxAge, jwksKeptUntil } = policy;
  return JSON.stringify({
    ...{ leeway, allowNoExpiry, issuer, audience, type },
    ...{ jwksMaxAge, jwksKeptUntil },
  });
}

/** Whether a value is a policy as {@linkcode policyText} writes it. */
export function isPolicy(value: unknown): value is TokenPolicy {
  if (typeof value !== "object" || value === null) return false;
  const { leeway, allowNoExpiry, issuer, audience, type, jwksMaxAge, jwksKeptUntil } =
    value as Record<string, unknown>;
  return typeof leeway === "number" && leeway >= 0 && leeway <= MOST_LEEWAY_SECONDS &&
    typeof allowNoExpiry === "boolean" && isTexts(issuer) && isTexts(audience) &&
    (type === undefined || typeof type === "string") &&
    isNumberUpTo(MOST_JWKS_SECONDS, jwksMaxAge) && isNumberUpTo(Infinity, jwksKeptUntil);
}

function isNumberUpTo(most: number, value: unknown): boolean {
  return value === undefined || (typeof value === "number" && value >= 0 && value <= most);
}

function isTexts(value: unknown): boolean {
  if (value === undefined) return true;
  return Array.isArray(value) && value.length > 0 &&
    value.every((text) => typeof text === "string");
}
