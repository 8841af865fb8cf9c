import { Buffer } from "node:buffer";
import type { Algorithm } from "../../jwt/policy.ts";

/** Bytes of each algorithm's hash: a shorter key is refused (RFC 7518 §3.2). */
const HASH_BYTES: Record<Algorithm, number> = { HS256: 32, HS384: 48, HS512: 64 };

// A random key of 32 hex digits has some 112 by this measure, one typed by hand much less.
const LEAST_ENTROPY_BITS = 80;

// Keys that are printed in specifications and on sites where tokens are tried out.
const KNOWN_KEYS = [
  // RFC 7515 appendix A.1
  "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
  // RFC 7520 §3.5
  "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
  // Tutorials of web frameworks
  "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
];

// Words that placeholders consist of.
const PLACEHOLDER_WORDS = (
  "authentication application development production placeholder signature password changeme " +
  "localhost supersecret characters testing default example private signing secrets minimum " +
  "replace session insecure secure secret random public access refresh server string strong " +
  "tokens token should please change length always jwtkey update admin local super least value " +
  "super shhhh test prod with here this that must your keep safe user keys long very than bits " +
  "byte auth hmac sha512 sha384 sha256 512 384 256 128 123 and app api bit dev env for hash jwt " +
  "qwertyuiop asdfghjkl zxcvbnm company 2019 2020 2021 2022 2023 2024 2025 2026 a1b2c3 " +
  "key my new not one put set the use web foo bar abc xxx at be by do in is it me of on or to a"
).split(" ");

/**
 * Weaknesses of an HMAC key that someone else has chosen, as clauses for messages; nothing of the key is quoted. An empty
 * list does not prove a strong key.
 */
export function weaknesses(key: Uint8Array, alg: Algorithm): string[] {
  const found: string[] = [];
  if (key.length < HASH_BYTES[alg]) {
    found.push(`it has ${key.length} bytes, ${alg} needs ${HASH_BYTES[alg]} (RFC 7518 §3.2)`);
  }
  const entropy = Math.min(...[key, differences(key)].map(entropyBits));
  if (entropy < LEAST_ENTROPY_BITS) {
    found.push(`its bytes have at most ${Math.floor(entropy)} bits of entropy`);
  }
  if (isExample(key)) {
    found.push("it is a placeholder or well-known example, or made of the words of one");
  }
  return found;
}

/** Shannon entropy of the bytes, with a repeated part counted once. */
function entropyBits(bytes: Uint8Array): number {
  const part = bytes.subarray(0, period(bytes));
  const counts = new Map<number, number>();
  for (const byte of part) counts.set(byte, (counts.get(byte) ?? 0) + 1);
  const shares = [...counts.values()].map((count) => count / part.length);
  return part.length * shares.reduce((sum, share) => sum - share * Math.log2(share), 0);
}

// The shortest length after which the bytes repeat.
function period(bytes: Uint8Array): number {
  for (let length = 1; length < bytes.length; length++) {
    if (bytes.every((byte, index) => index < length || byte === bytes[index - length])) {
      return length;
    }
  }
  return bytes.length;
}

// A sequence such as abcdef has many values and one step.
function differences(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte, index) => byte - (bytes[index - 1] ?? 0));
}

function isExample(key: Uint8Array): boolean {
  const text = Buffer.from(key).toString();
  const base64url = Buffer.from(key).toString("base64url");
  if (KNOWN_KEYS.includes(text) || KNOWN_KEYS.includes(base64url)) return true;
  const words = text.toLowerCase();
  // A binary key has no words.
  if (!/^[\x20-\x7e]+$/.test(words)) return false;
  const rest = PLACEHOLDER_WORDS.reduce((left, word) => left.replaceAll(word, " "), words);
  return rest.replace(/[^a-z0-9]/g, "").length < 8;
}
