import { Buffer } from "node:buffer";
import { createHash, type Hash, timingSafeEqual } from "node:crypto";
import { type Algorithm, type HmacAlgorithm, isHmac } from "../core/algorithms.ts";
import { decodeInto, encodeText } from "../core/encoding.ts";
import type { PublicJwk } from "../core/key_pair.ts";
import type { KeyForm, Secret } from "../core/secret.ts";
import type { JsonObject } from "./jws.ts";
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

/** Each algorithm's hash, and its block size in bytes (FIPS 180-4). */
const HASHES: Record<HmacAlgorithm, [name: string, block: number]> = {
  HS256: ["sha256", 64],
  HS384: ["sha384", 128],
  HS512: ["sha512", 128],
};

// Reused for every digest: allocating memory takes longer than hashing.
const [INNER, EXPECTED] = [new Uint8Array(64), new Uint8Array(64)];

/**
 * HMAC (RFC 2104) with one key. It hashes the two padded keys once and copies the state for each text. `createHmac`
 * starts over each time, which takes five times as long; Web Crypto, and so jose, hands each call to another thread.
 */
class Hmac {
  readonly #inner: Hash;
  readonly #outer: Hash;

  constructor(algorithm: HmacAlgorithm, key: Uint8Array) {
    const [name, block] = HASHES[algorithm];
    const padded = new Uint8Array(block);
    padded.set(key.length > block ? createHash(name).update(key).digest() : key);
    const start = (pad: number) => {
      const first = padded.map((byte) => byte ^ pad);
      const hash = createHash(name).update(first);
      first.fill(0);
      return hash;
    };
    [this.#inner, this.#outer] = [start(0x36), start(0x5c)];
    padded.fill(0);
  }

  /** @returns memory that the next call overwrites. */
  of(text: string): Uint8Array {
    const inner = digestInto(INNER, this.#inner.copy().update(text));
    return digestInto(EXPECTED, this.#outer.copy().update(inner));
  }
}

function digestInto(memory: Uint8Array, hash: Hash): Uint8Array {
  return memory.subarray(0, memory.setFromHex(hash.digest("hex")).written);
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

// One byte longer than the longest signature, so that a longer one is noticed.
const GIVEN = new Uint8Array(65);

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
  const given = decodeInto(GIVEN, signature);
  return given?.length === expected.length && timingSafeEqual(given, expected);
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
