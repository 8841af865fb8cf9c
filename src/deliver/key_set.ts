import type { Algorithm } from "../core/algorithms.ts";
import type { KeyForm, Secret } from "../core/secret.ts";
import { kidInTokens } from "../secret/token_kid.ts";
import type { Version } from "../store/sqlite/versions.ts";

/** Whether a program checks tokens or signs them: of a key pair a verifier gets the public half only. */
export type Role = "verifier" | "signer";

/** A version with its value, as programs outside rekey get it. */
export interface DeliveredKey {
  /** The version's own kid. */
  readonly kid: string;
  /** The kid that its tokens carry. */
  readonly tokenKid: string;
  readonly alg: Algorithm;
  readonly keyForm: KeyForm;
  readonly secret: Secret;
  /** When it stops verifying, milliseconds since the epoch; `null` while no end is set. */
  readonly expiresAt: number | null;
}

/** A version's key. */
export function deliveredKey(
  row: Pick<Version, "kid" | "token_kid" | "alg" | "key_form" | "grace_until">,
  secret: Secret,
): DeliveredKey {
  const { kid, alg, key_form: keyForm, grace_until: expiresAt } = row;
  return { kid, tokenKid: kidInTokens(row), alg, keyForm, secret, expiresAt };
}

/** The keys of an app at one time. */
export interface DeliveredKeys {
  /** Signs now. */
  readonly current: DeliveredKey;
  /** Signs next: the pending version of a rotation, or the one that was prepared. */
  readonly prepared?: DeliveredKey | undefined;
  /** Still verify, newest first. */
  readonly previous: readonly DeliveredKey[];
}

/**
 * Every key that a verifier must accept, the newest first. So the contents of a file stay the same when the prepared key
 * becomes the current one.
 */
export function verifyingKeys({ current, prepared, previous }: DeliveredKeys): DeliveredKey[] {
  return [...prepared === undefined ? [] : [prepared], current, ...previous];
}
