import { type ErrorCode, RekeyError } from "../core/errors.ts";
import { rfc3339 } from "../core/clock.ts";
import type { JsonObject } from "./jws.ts";

type Wanted = string | readonly string[] | undefined;

/** What a token's claims must say, beyond what RFC 7519 asks of every token. */
export interface ClaimPolicy {
  /** The issuer must be this one, or one of these. */
  readonly issuer?: Wanted;
  /** One of the token's audiences must be this one, or one of these. */
  readonly audience?: Wanted;
  readonly subject?: string | undefined;
  /** Tolerance for clocks that differ, in seconds. */
  readonly leeway: number;
  /** Longest time since `iat`, in seconds. */
  readonly maxAge?: number | undefined;
  /** Whether a token without `exp` is accepted. */
  readonly allowNoExpiry: boolean;
  /** What is required besides: it can only refuse more tokens, whoever asks for it. */
  readonly also?: { readonly issuer?: Wanted; readonly audience?: Wanted } | undefined;
  /** The header's `typ`, without regard to case or a leading `application/` (RFC 7515 §4.1.9). */
  readonly type?: string | undefined;
}

/** What a policy is asked about. */
export interface Claimant {
  readonly claims: JsonObject;
  /** The header's `typ`. */
  readonly type?: string | undefined;
  /**
   * Whether an application may have written it before rekey had its secret. Many write a number where RFC 7519 §4.1 asks
   * for a string (`sub`, `jti`), or `null` where there is nothing to say.
   */
  readonly adopted?: boolean;
}

/** A claim that does not say what it must. */
export interface ClaimFailure {
  readonly claim: string;
  readonly code: Extract<ErrorCode, "expired" | "not_yet_valid" | "claim_mismatch" | "malformed">;
  readonly reason: string;
}

/** A refusal for its claims; {@linkcode ClaimsError.failures} names all of them. */
export class ClaimsError extends RekeyError {
  constructor(readonly failures: readonly ClaimFailure[]) {
    const all = failures.map(({ claim, reason }) => `${claim} ${reason}`).join(", ");
    super(failures[0]?.code ?? "claim_mismatch", `Cannot accept the token: ${all}`);
  }
}

type Rule = (claims: JsonObject, policy: ClaimPolicy, now: number) => ClaimFailure | undefined;

/**
 * Everything that is wrong with a token's claims (RFC 7519 §4.1), all at once.
 *
 * @param now seconds since the epoch.
 */
export function claimFailures(
  { claims, type, adopted = false }: Claimant,
  policy: ClaimPolicy,
  now: number,
): ClaimFailure[] {
  const broken = typeFailures(claims, adopted ? ADOPTED_TYPES : TYPES);
  if (broken.length > 0) return broken;
  const failures = ruleFailures(claims, policy, now);
  const wrongType = typeFailure(type, policy.type);
  return wrongType === undefined ? failures : [...failures, wrongType];
}

/** @throws {ClaimsError} when the claims are not what the policy asks for at `now`, in seconds. */
export function refuseClaims(claimant: Claimant, policy: ClaimPolicy, now: number): void {
  const failures = claimFailures(claimant, policy, now);
  if (failures.length > 0) throw new ClaimsError(failures);
}

/** A claim that should be a string, as one; `undefined` where there is none (RFC 7519 §4.1.2, §4.1.7). */
export function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "number") return undefined;
  // Each digit of it: a double's own spelling rounds large ones.
  return Number.isInteger(value) ? String(BigInt(value)) : String(value);
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

type Types = readonly [claim: string, check: (value: unknown) => boolean, wanted: string][];

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

const ADOPTED_TYPES: Types = TYPES.map(([claim, check, wanted]) => {
  const accepts = (value: unknown) =>
    check(value) || (value === null && OFTEN_NULL.includes(claim)) ||
    (isNumber(value) && OFTEN_NUMBERS.includes(claim));
  return [claim, accepts, OFTEN_NUMBERS.includes(claim) ? `${wanted} or a number` : wanted];
});

function typeFailures(claims: JsonObject, types: Types): ClaimFailure[] {
  const failures: ClaimFailure[] = [];
  for (const [claim, check, wanted] of types) {
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
  ({ iss }, { issuer, also }) => expected("iss", iss, issuer) ?? expected("iss", iss, also?.issuer),
  ({ sub }, { subject }) =>
    subject === undefined ? undefined : expected("sub", textOf(sub), subject),
  ({ aud }, { audience, also }) =>
    expected("aud", aud, audience) ?? expected("aud", aud, also?.audience),
];

function expected(claim: string, found: unknown, wanted: Wanted): ClaimFailure | undefined {
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

// RFC 7515 §4.1.9: `application/` may be left out where no other slash follows.
function shortType(type: string): string {
  return type.toLowerCase().replace(/^application\/(?=[^/]*$)/, "");
}

function mismatch(claim: string, reason: string): ClaimFailure {
  return { claim, code: "claim_mismatch", reason };
}

function instant(seconds: number): string {
  return rfc3339(seconds * 1000);
}
