import { type ErrorCode, RekeyError } from "../core/errors.ts";
import { rfc3339 } from "../core/clock.ts";
import type { JsonObject } from "./jws.ts";
import type { ClaimPolicy, Expected, TokenPolicy } from "./policy.ts";

/** The parts of a token that a {@linkcode ClaimPolicy} is about. */
export interface TokenContent {
  readonly claims: JsonObject;
  /** The header's `typ`. */
  readonly type?: string | undefined;
  /**
   * Whether an application may have issued it, before rekey adopted the secret. Many write a number where RFC 7519 §4.1
   * requires a string (`sub`, `jti`), or `null` for a claim without a value.
   */
  readonly adopted?: boolean;
}

/** A claim that is not as it must be. */
interface ClaimFailure {
  readonly claim: string;
  readonly code: Extract<ErrorCode, "expired" | "not_yet_valid" | "claim_mismatch" | "malformed">;
  readonly reason: string;
}

/** The token's claims are not acceptable; {@linkcode ClaimsError.failures} lists every one. */
export class ClaimsError extends RekeyError {
  constructor(readonly failures: readonly ClaimFailure[]) {
    const all = failures.map(({ claim, reason }) => `${claim} ${reason}`).join(", ");
    super(failures[0]?.code ?? "claim_mismatch", `Cannot accept the token: ${all}`);
  }
}

/** What is said of a token that is not valid, by `verify --json` and over HTTP. */
export function refusedVerdict(error: RekeyError) {
  const { code, message } = error;
  const failures = error instanceof ClaimsError ? { failures: error.failures } : {};
  return { valid: false, code, message, ...failures };
}

type Rule = (claims: JsonObject, policy: ClaimPolicy, now: number) => ClaimFailure | undefined;

/**
 * Every claim of a token that fails (RFC 7519 §4.1).
 *
 * @param now seconds since the epoch.
 */
export function claimFailures(
  { claims, type, adopted = false }: TokenContent,
  policy: ClaimPolicy,
  now: number,
): ClaimFailure[] {
  const broken = typeFailures(claims, adopted ? ADOPTED_TYPES : TYPES);
  if (broken.length > 0) return broken;
  const failures = ruleFailures(claims, policy, now);
  const wrongType = typeFailure(type, policy.type);
  return wrongType === undefined ? failures : [...failures, wrongType];
}

/** @throws {ClaimsError} when the claims do not satisfy the policy at `now`, in seconds since the epoch. */
export function refuseClaims(token: TokenContent, policy: ClaimPolicy, now: number): void {
  const failures = claimFailures(token, policy, now);
  if (failures.length > 0) throw new ClaimsError(failures);
}

/** A claim that should be a string, as a string; `undefined` if it is absent (RFC 7519 §4.1.2, §4.1.7). */
export function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "number") return undefined;
  // With all digits: `String` of a large number rounds it.
  return Number.isInteger(value) ? String(BigInt(value)) : String(value);
}

/** From when until when claims are accepted, in seconds since the epoch: `until` itself is excluded. */
export interface AcceptedSpan {
  readonly from: number;
  readonly until: number;
}

/**
 * For how long an app's policy goes on accepting claims that it accepts now: {@linkcode claimFailures} finds the same
 * at each time in the span. Of what such a policy says only `exp` and `nbf` depend on the time.
 */
export function acceptedSpan({ exp, nbf }: JsonObject, { leeway }: TokenPolicy): AcceptedSpan {
  return {
    from: nbf === undefined ? -Infinity : (nbf as number) - leeway,
    until: exp === undefined ? Infinity : (exp as number) + leeway,
  };
}

// Plain loops: every request to a server runs this, and nearly always there is no failure.
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

type Types = readonly [claim: string, check: (value: unknown) => boolean, expected: string][];

const TYPES: Types = [
  ["exp", isNumber, "a number"],
  ["nbf", isNumber, "a number"],
  ["iat", isNumber, "a number"],
  ["iss", isString, "a string"],
  ["sub", isString, "a string"],
  ["jti", isString, "a string"],
  ["aud", isAudience, "a string or a list of strings"],
];

const OFTEN_NUMBERS = ["sub", "jti"];
const OFTEN_NULL = ["iss", "sub", "jti", "aud"];

const ADOPTED_TYPES: Types = TYPES.map(([claim, check, expected]) => {
  const accepts = (value: unknown) =>
    check(value) || (value === null && OFTEN_NULL.includes(claim)) ||
    (isNumber(value) && OFTEN_NUMBERS.includes(claim));
  return [claim, accepts, OFTEN_NUMBERS.includes(claim) ? `${expected} or a number` : expected];
});

function typeFailures(claims: JsonObject, types: Types): ClaimFailure[] {
  const failures: ClaimFailure[] = [];
  for (const [claim, check, expected] of types) {
    if (!Object.hasOwn(claims, claim) || check(claims[claim])) continue;
    failures.push({ claim, code: "malformed", reason: `is not ${expected}` });
  }
  return failures;
}

const RULES: readonly Rule[] = [
  // RFC 7519 §4.1.4: a token must not be accepted on or after `exp`.
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
  ({ iss }, { issuer, also }) => expected("iss", iss, issuer) ?? expected("iss", iss, also?.issuer),
  ({ sub }, { subject }) =>
    subject === undefined ? undefined : expected("sub", textOf(sub), subject),
  ({ aud }, { audience, also }) =>
    expected("aud", aud, audience) ?? expected("aud", aud, also?.audience),
];

function expected(claim: string, found: unknown, wanted: Expected): ClaimFailure | undefined {
  if (wanted === undefined) return undefined;
  const given: unknown[] = Array.isArray(found) ? found : [found];
  const isOne = typeof wanted === "string"
    ? given.includes(wanted)
    : wanted.some((one) => given.includes(one));
  if (isOne) return undefined;
  return mismatch(claim, found == null ? "is missing" : "is not the one expected");
}

function typeFailure(type: string | undefined, wanted: string | undefined) {
  if (wanted === undefined) return undefined;
  if (type === undefined) return mismatch("typ", "is missing");
  return shortType(type) === shortType(wanted)
    ? undefined
    : mismatch("typ", "is not the one expected");
}

// RFC 7515 §4.1.9: `application/` may be omitted when no other slash follows.
function shortType(type: string): string {
  return type.toLowerCase().replace(/^application\/(?=[^/]*$)/, "");
}

function mismatch(claim: string, reason: string): ClaimFailure {
  return { claim, code: "claim_mismatch", reason };
}

function instant(seconds: number): string {
  return rfc3339(seconds * 1000);
}
