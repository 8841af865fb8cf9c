import { Buffer } from "node:buffer";
import { createPrivateKey } from "node:crypto";

const PREFIX = "pkcs8:";

// The private numbers of a JWK: RFC 7518 §6.2.2 and §6.3.2, RFC 8037 §2.
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi"] as const;

// A part of a number that is enough to name it, in bytes: 16 characters of base64. Parts of each number begin so often
// that a PEM file's line of 48 bytes has one, wherever the number lies in the file.
const [PART_BYTES, EVERY_BYTES] = [12, 30];

/** Numbers that are at most so long have a part at each of their bytes: a line may end anywhere in them. */
const SHORT = 66;

/** Whether a stored value is a key pair. */
export function isPair(value: string): boolean {
  return value.startsWith(PREFIX);
}

/**
 * The ways in which the private numbers of a stored key pair may be written down: raw, as in DER; and as parts in base64
 * and base64url, as in PEM with any lines, a JWK or the stored value, and in hex, with colons too.
 */
export function spellingsOfPair(value: string): Buffer[] {
  const key = Buffer.from(value.slice(PREFIX.length), "base64");
  const jwk = createPrivateKey({ key, format: "der", type: "pkcs8" }).export({ format: "jwk" });
  const numbers = PRIVATE_MEMBERS.map((name) => jwk[name]).filter((text) => text !== undefined)
    .map((text) => Buffer.from(text, "base64url"));
  const parts = numbers.flatMap(partsOf);
  return [
    // A number has a zero byte in front of it in DER, or has lost one.
    ...numbers.map((number) => number.subarray(1, 24)),
    ...asTexts(parts.flatMap((part) => {
      const hex = part.toString("hex");
      const colons = hex.replace(/..(?!$)/g, "$&:");
      const encoded = [part.toString("base64"), part.toString("base64url")];
      return [...encoded, ...[hex, colons].flatMap((text) => [text, text.toUpperCase()])];
    })),
  ];
}

// A part for each alignment of base64, whose characters stand for three bytes together.
function partsOf(number: Buffer): Buffer[] {
  const last = number.length - PART_BYTES;
  const starts = Array.from({ length: last + 1 }, (_, start) => start)
    .filter((start) => number.length <= SHORT || start % EVERY_BYTES < 3);
  return starts.map((start) => number.subarray(start, start + PART_BYTES));
}

/** Texts as UTF-8 and as UTF-16. */
export function asTexts(texts: readonly string[]): Buffer[] {
  return [...new Set(texts)].flatMap((text) => [Buffer.from(text), Buffer.from(text, "utf16le")]);
}
