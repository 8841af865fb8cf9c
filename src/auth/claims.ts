import type { ErrorCode } from "../core/errors.ts";
import { rfc3339 } from "../core/clock.ts";
import type { JsonObject } from "./jws.ts";

/** What a token's claims must say, beyond what RFC 7519 asks of every token. */
export interface ClaimPolicy {
  readonly issuer?: string | undefined;
  /** One of the token's audiences must be this one. */
  readonly audience?: string | undefined;
  readonly subject?: string | undefined;
  /** Tolerance for clocks that differ, in seconds. */
  readonly leeway: number;
  /** Longest time since `iat`, in seconds. */
  readonly maxAge?: number | undefined;
  /** Whether a token without `exp` is accepted. */
  readonly allowNoExpiry: boolean;
}

/** A claim that does not say what it must. */
export interface ClaimFailure {
  readonly claim: string;
  readonly code: Extract<ErrorCode, "expired" | "not_yet_valid" | "claim_mismatch" | "malformed">;
  readonly reason: string;
}

type Rule = (claims: JsonObject, policy: ClaimPolicy, now: number) => ClaimFailure | undefined;

/**
 * Everything that is wrong with a token's claims (RFC 7519 §4.1), all at once.
 *
 * @param now seconds since the epoch.
 */
export function claimFailures(
  claims: JsonObject,
  policy: ClaimPolicy,
  now: number,
): ClaimFailure[] {
  const broken = typeFailures(claims);
  return broken.length > 0 ? broken : ruleFailures(claims, policy, now);
}

// Loops, since each request to a server comes here, and nearly always nothing is wrong.
function ruleFailures(claims: JsonObject, policy: ClaimPolicy, now: number): ClaimFailure[] {
  const failures = [];
  for (const rule of RULES) {
    const failure = rule(claims, policy, now);
    if (failure !== undefined) failures.push(failure);
  }
  return failures;
}

const isNumber = (value: unknown) => typeof value === "number" && Number.isFinite(value);
const isString = (value: unknown) => typeof value === "string";
const isAudience = (value: unknown) =>
  isString(value) || (Array.isArray(value) && value.every(isString));

const TYPES: readonly [claim: string, check: (value: unknown) => boolean, wanted: string][] = [
  ["exp", isNumber, "a number"],
  ["nbf", isNumber, "a number"],
  ["iat", isNumber, "a number"],
  ["iss", isString, "a string"],
  ["sub", isString, "a string"],
  ["jti", isString, "a string"],
  ["aud", isAudience, "a string or a list of strings"],
];

function typeFailures(claims: JsonObject): ClaimFailure[] {
  const failures: ClaimFailure[] = [];
  for (const [claim, check, wanted] of TYPES) {
    if (!Object.hasOwn(claims, claim) || check(claims[claim])) continue;
    failures.push({ claim, code: "malformed", reason: `is not ${wanted}` });
  }
  return failures;
}

const RULES: readonly Rule[] = [
  // RFC 7519 §4.1.4: on or after `exp` a token must not be accepted.
  ({ exp }, { leeway, allowNoExpiry }, now) => {
    if (exp === undefined) return allowNoExpiry ? undefined : mismatch("exp", "is missing");
    if (now < (exp as number) + leeway) return undefined;
    return { claim: "exp", code: "expired", reason: `was ${instant(exp as number)}` };
  },
  ({ nbf }, { leeway }, now) => {
    if (nbf === undefined || now >= (nbf as number) - leeway) return undefined;
    return { claim: "nbf", code: "not_yet_valid", reason: `is ${instant(nbf as number)}` };
  },
  ({ iat }, { leeway, maxAge }, now) => {
    if (maxAge === undefined) return undefined;
    if (iat === undefined) return mismatch("iat", "is missing");
    if ((iat as number) > now + leeway) {
      return { claim: "iat", code: "not_yet_valid", reason: `is ${instant(iat as number)}` };
    }
    if (now - (iat as number) <= maxAge + leeway) return undefined;
    return { claim: "iat", code: "expired", reason: `is more than ${maxAge} s ago` };
  },
  ({ iss }, { issuer }) => expected("iss", iss, issuer),
  ({ sub }, { subject }) => expected("sub", sub, subject),
  ({ aud }, { audience }) => {
    const given = Array.isArray(aud) ? aud : [aud];
    if (audience === undefined || given.includes(audience)) return undefined;
    return mismatch("aud", aud === undefined ? "is missing" : "is not the one expected");
  },
];

function expected(claim: string, found: unknown, wanted: string | undefined) {
  if (wanted === undefined || found === wanted) return undefined;
  return mismatch(claim, found === undefined ? "is missing" : "is not the one expected");
}

function mismatch(claim: string, reason: string): ClaimFailure {
  return { claim, code: "claim_mismatch", reason };
}

function instant(seconds: number): string {
  return rfc3339(seconds * 1000);
}
