import { Buffer } from "node:buffer";
import { createPrivateKey, type KeyObject } from "node:crypto";

/** Size of the seed of an Ed25519 key, in bytes (RFC 8032 §5.1.5). */
export const SEED_BYTES = 32;

// What precedes a seed in PKCS#8 (RFC 8410 §7).
const PKCS8 = "302e020100300506032b657004220420";

/** The private key of a seed of {@linkcode SEED_BYTES}. @throws {TypeError} when it has another size. */
export function keyOfSeed(seed: Uint8Array): KeyObject {
  const der = Buffer.concat([Buffer.from(PKCS8, "hex"), seed]);
  try {
    return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  } finally {
    der.fill(0);
  }
}
