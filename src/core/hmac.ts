import { createHash, type Hash } from "node:crypto";
import type { HmacAlgorithm } from "./algorithms.ts";

/** Each algorithm's hash, and its block size in bytes (FIPS 180-4). */
const HASHES: Record<HmacAlgorithm, [name: string, block: number]> = {
  HS256: ["sha256", 64],
  HS384: ["sha384", 128],
  HS512: ["sha512", 128],
};

// Reused for every digest: allocating memory takes longer than hashing.
const [INNER, OUTER] = [new Uint8Array(64), new Uint8Array(64)];

/**
 * HMAC (RFC 2104) with one key. It hashes the two padded keys once and copies the state for each text. `createHmac`
 * starts over each time, which takes five times as long; Web Crypto, and so jose, hands each call to another thread.
 * What it keeps is as sensitive as the key.
 */
export class Hmac {
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
    return digestInto(OUTER, this.#outer.copy().update(inner));
  }
}

function digestInto(memory: Uint8Array, hash: Hash): Uint8Array {
  return memory.subarray(0, memory.setFromHex(hash.digest("hex")).written);
}
