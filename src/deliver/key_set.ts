import { Buffer } from "node:buffer";
import type { KeyForm, Secret } from "../core/secret.ts";
import { rfc3339 } from "../core/clock.ts";
import type { Algorithm } from "../core/algorithms.ts";

/** A version with its value, as programs outside rekey get it. */
export interface DeliveredKey {
  readonly kid: string;
  readonly alg: Algorithm;
  readonly keyForm: KeyForm;
  readonly secret: Secret;
  /** When it stops verifying, milliseconds since the epoch; `null` while no end is set. */
  readonly expiresAt: number | null;
}

/** The keys of an app at one time. */
export interface DeliveredKeys {
  /** Signs now. */
  readonly current: DeliveredKey;
  /** Signs next: the pending version of a rotation, or the one that a fleet has prepared. */
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

/** The set for a program that holds one key: the current one alone. */
export function currentAlone({ current }: DeliveredKeys): DeliveredKeys {
  return { current, previous: [] };
}

/** A key as templates see it. It holds the value: for {@linkcode render} only. */
export interface KeyData {
  readonly kid: string;
  readonly alg: Algorithm;
  /** The characters whose UTF-8 is the HMAC key; absent when the key is other bytes. */
  readonly text?: string;
  /** The bytes of the HMAC key, in standard base64 with padding. */
  readonly base64: string;
  /** The same without padding, in the alphabet of RFC 4648 §5. */
  readonly base64url: string;
  readonly hex: string;
  /** A JWK of kty oct (RFC 7517, RFC 7518 §6.4). */
  readonly jwk: Jwk;
  /** The JWK on one line. */
  readonly jwk_json: string;
  /** RFC 3339, UTC; `null` while no end is set. */
  readonly expires_at: string | null;
}

/** A symmetric key for signatures (RFC 7518 §6.4). */
export interface Jwk {
  readonly kty: "oct";
  readonly kid: string;
  readonly alg: Algorithm;
  readonly use: "sig";
  readonly k: string;
}

/** A key in every encoding. */
export function keyData({ kid, alg, keyForm, secret, expiresAt }: DeliveredKey): KeyData {
  const key = secret.hmacKey(keyForm);
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.length);
  const [base64, base64url, hex] = (["base64", "base64url", "hex"] as const)
    .map((encoding) => bytes.toString(encoding)) as [string, string, string];
  key.fill(0);
  const jwk: Jwk = { kty: "oct", kid, alg, use: "sig", k: base64url };
  return {
    kid,
    alg,
    ...keyForm === "text" ? { text: secret.reveal() } : {},
    base64,
    base64url,
    hex,
    jwk,
    jwk_json: JSON.stringify(jwk),
    expires_at: expiresAt === null ? null : rfc3339(expiresAt),
  };
}
