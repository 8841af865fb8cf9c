import { Buffer } from "node:buffer";
import { type Algorithm, type HmacAlgorithm, isHmac } from "../core/algorithms.ts";
import { encodeText } from "../core/encoding.ts";
import { Hmac } from "../core/hmac.ts";
import type { PublicJwk } from "../core/key_pair.ts";
import type { KeyForm, Secret } from "../core/secret.ts";
import { type JsonObject, signatureBytes } from "./jws.ts";
import { isSignedByPair, signedByPair } from "./pair_signatures.ts";

/** How a version's value signs. */
export interface SigningUse {
  readonly alg: Algorithm;
  readonly key_form: KeyForm;
}

/**
 * Whether a signature is that of a text (RFC 7515 §5.2, RFC 7518 §3, RFC 8037 §3.1). The caller has checked the token's
 * algorithm: it is never what decides here.
 *
 * @param signature in base64url.
 */
export function isSignedWith(
  secret: Secret,
  { alg, key_form }: SigningUse,
  text: string,
  signature: string,
): boolean {
  const { pair } = secret;
  // A version whose value is of the other kind verifies nothing: a public key can never serve as an HMAC key.
  if (isHmac(alg)) {
    return pair === undefined && key_form !== "pkcs8" &&
      isHmacOf(secret, key_form, alg, text, signature);
  }
  return pair !== undefined && pair.suits(alg) && isSignedByPair(pair, alg, text, signature);
}

/**
 * Signs a token: a compact JWS (RFC 7515 §7.1) of a header, which gets the `alg`, and claims.
 *
 * @throws {Error} when the value is of another kind than the algorithm needs.
 */
export function signCompact(
  secret: Secret,
  use: SigningUse,
  header: JsonObject,
  claims: JsonObject,
): string {
  const parts = [{ alg: use.alg, ...header }, claims];
  const text = parts.map((part) => encodeText(JSON.stringify(part))).join(".");
  return `${text}.${signatureOf(secret, use, text)}`;
}

function signatureOf(secret: Secret, { alg, key_form }: SigningUse, text: string): string {
  if (isHmac(alg)) return hmacText(secret, key_form, alg, text);
  const { pair } = secret;
  if (pair?.suits(alg) !== true) throw new Error(`Not a key for ${alg}`);
  return signedByPair(pair, alg, text);
}

/** The key with which a library verifies tokens of a version: HMAC bytes, or the public half as a JWK. */
export function verifyingKey(
  secret: Secret,
  { alg, key_form }: SigningUse,
): Uint8Array | PublicJwk {
  return isHmac(alg) ? secret.hmacKey(key_form) : secret.pair!.publicJwk;
}

// A hash of the padded key is as sensitive as the secret, and is kept as long as the secret.
const hmacs = new WeakMap<Secret, Map<string, Hmac>>();

function hmacOf(secret: Secret, form: KeyForm, algorithm: HmacAlgorithm): Hmac {
  let all = hmacs.get(secret);
  if (all === undefined) hmacs.set(secret, all = new Map());
  const which = `${form} ${algorithm}`;
  let hmac = all.get(which);
  if (hmac === undefined) {
    const key = secret.hmacKey(form);
    all.set(which, hmac = new Hmac(algorithm, key));
    key.fill(0);
  }
  return hmac;
}

/**
 * Whether a signature is the HMAC of a text (RFC 7515 §5.2, RFC 7518 §3.2), compared in constant time. The caller has
 * checked the algorithm.
 *
 * @param signature in base64url.
 */
export function isHmacOf(
  secret: Secret,
  form: KeyForm,
  algorithm: HmacAlgorithm,
  text: string,
  signature: string,
): boolean {
  const expected = hmacOf(secret, form, algorithm).of(text);
  const given = signatureBytes(signature);
  return given !== undefined && isSame(given, expected);
}

// In constant time: `timingSafeEqual` of the runtime is this loop, with two views that it makes each time.
function isSame(given: Uint8Array, expected: Uint8Array): boolean {
  const { length } = expected;
  if (given.length !== length) return false;
  let difference = 0;
  for (let at = 0; at < length; at++) difference |= given[at]! ^ expected[at]!;
  return difference === 0;
}

/** The HMAC of a text, in base64url. */
function hmacText(
  secret: Secret,
  form: KeyForm,
  algorithm: HmacAlgorithm,
  text: string,
): string {
  return Buffer.from(hmacOf(secret, form, algorithm).of(text)).toString("base64url");
}
