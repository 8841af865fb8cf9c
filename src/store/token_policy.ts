import { STANDARD_POLICY, type TokenPolicy } from "../jwt/policy.ts";
import type { Meta } from "./sqlite/meta.ts";

/** Parts of a policy, as flags and `--json` name them. */
export const POLICY_PARTS = ["leeway", "allow-no-exp", "iss", "aud", "typ"] as const;
export type PolicyPart = (typeof POLICY_PARTS)[number];

/** Longest tolerance, in seconds: a day. */
export const MOST_LEEWAY_SECONDS = 86_400;

/**
 * The app's policy.
 *
 * @throws {RekeyError} `database_damaged` when its row cannot be read.
 */
export function readPolicy(meta: Meta): TokenPolicy {
  const hint = "Restore the database from a backup, or set the policy again: `rekey policy clear`";
  return meta.json("policy", isPolicy, hint) ?? STANDARD_POLICY;
}

/** Inside a transaction: sets the app's policy. Returns whether the row changed. */
export function writePolicy(meta: Meta, policy: TokenPolicy): boolean {
  const text = isSamePolicy(policy, STANDARD_POLICY) ? undefined : policyText(policy);
  if (text === meta.get("policy")) return false;
  if (text === undefined) meta.remove("policy");
  else meta.set("policy", text);
  return true;
}

/** Whether two policies are equal. */
export function isSamePolicy(one: TokenPolicy, other: TokenPolicy): boolean {
  return policyText(one) === policyText(other);
}

/** The stored form of a policy; equal policies have equal texts. */
function policyText({ leeway, allowNoExpiry, issuer, audience, type }: TokenPolicy): string {
  return JSON.stringify({ leeway, allowNoExpiry, issuer, audience, type });
}

function isPolicy(value: unknown): value is TokenPolicy {
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
