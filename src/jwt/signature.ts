import { createHash, type Hash, timingSafeEqual } from "node:crypto";
import type { KeyForm, Secret } from "../core/secret.ts";
import type { Algorithm } from "../store/environment.ts";
import { decodeInto } from "../core/encoding.ts";

/** Each algorithm's hash, and how many bytes it takes at a time (FIPS 180-4). */
const HASHES: Record<Algorithm, [name: string, block: number]> = {
  HS256: ["sha256", 64],
  HS384: ["sha384", 128],
  HS512: ["sha512", 128],
};

// For results that are used at once: new memory takes longer than a hash does.
const [INNER, EXPECTED] = [new Uint8Array(64), new Uint8Array(64)];

/**
 * HMAC (RFC 2104) with one key. The runtime makes HMAC of two hashes too, but begins both of them anew for each text,
 * as streams, which takes five times as long. Web Crypto, and jose over it, hands each call to another thread.
 */
class Hmac {
  readonly #inner: Hash;
  readonly #outer: Hash;

  constructor(algorithm: Algorithm, key: Uint8Array) {
    const [name, block] = HASHES[algorithm];
    const padded = new Uint8Array(block);
    padded.set(key.length > block ? createHash(name).update(key).digest() : key);
    const begun = (pad: number) => {
      const first = padded.map((byte) => byte ^ pad);
      const hash = createHash(name).update(first);
      first.fill(0);
      return hash;
    };
    [this.#inner, this.#outer] = [begun(0x36), begun(0x5c)];
    padded.fill(0);
  }

  /** Good until the next call. */
  of(text: string): Uint8Array {
    const inner = digestInto(INNER, this.#inner.copy().update(text));
    return digestInto(EXPECTED, this.#outer.copy().update(inner));
  }
}

function digestInto(memory: Uint8Array, hash: Hash): Uint8Array {
  return memory.subarray(0, memory.setFromHex(hash.digest("hex")).written);
}

// What is begun with a secret is as good as the secret, and kept for as long as it is.
const begun = new WeakMap<Secret, Map<string, Hmac>>();

function hmacOf(secret: Secret, form: KeyForm, algorithm: Algorithm): Hmac {
  let all = begun.get(secret);
  if (all === undefined) begun.set(secret, all = new Map());
  const which = `${form} ${algorithm}`;
  let hmac = all.get(which);
  if (hmac === undefined) {
    const key = secret.hmacKey(form);
    all.set(which, hmac = new Hmac(algorithm, key));
    key.fill(0);
  }
  return hmac;
}

// A byte more than any of them has.
const GIVEN = new Uint8Array(65);

/**
 * Whether a signature is the HMAC of a text (RFC 7515 §5.2, RFC 7518 §3.2), compared in constant time. The algorithm
 * is to be checked before.
 *
 * @param signature in base64url.
 */
export function isSignedWith(
  secret: Secret,
  form: KeyForm,
  algorithm: Algorithm,
  text: string,
  signature: string,
): boolean {
  const expected = hmacOf(secret, form, algorithm).of(text);
  const given = decodeInto(GIVEN, signature);
  return given?.length === expected.length && timingSafeEqual(given, expected);
}
