// Only the canonical spelling: the bits that a last character leaves unused are zero (RFC 4648 §3.5). The runtime's
// decoder forgives others, and throws for a length that no bytes have.
const BASE64URL = /^(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/;
const ALPHABET = { alphabet: "base64url" } as const;
const UNPADDED = { ...ALPHABET, omitPadding: true } as const;

/** Whether a text is canonical base64url without padding (RFC 7515 §2). */
export function isBase64url(text: string): boolean {
  return BASE64URL.test(text);
}

/**
 * The bytes of a base64url text without padding (RFC 7515 §2), or `undefined` for any text but the only canonical
 * one.
 *
 * @example
 * ```ts
 * decodeBase64url("aGk"); // the bytes of "hi"
 * decodeBase64url("aGl"); // undefined
 * ```
 */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> | undefined {
  return isBase64url(text) ? Uint8Array.fromBase64(text, ALPHABET) : undefined;
}

/**
 * Like {@linkcode decodeBase64url}, into memory that is used again and again: new memory takes longer than decoding
 * does. `undefined` also when there is too little of it.
 *
 * @returns a part of `memory`.
 */
export function decodeInto(memory: Uint8Array, text: string): Uint8Array | undefined {
  if (!isBase64url(text)) return undefined;
  const { read, written } = memory.setFromBase64(text, ALPHABET);
  return read === text.length ? memory.subarray(0, written) : undefined;
}

const UTF_8 = new TextEncoder();
const MEMORY = new Uint8Array(2 ** 14);

/** A text's UTF-8 as base64url without padding. */
export function encodeText(text: string): string {
  const { read, written } = UTF_8.encodeInto(text, MEMORY);
  const bytes = read === text.length ? MEMORY.subarray(0, written) : UTF_8.encode(text);
  return bytes.toBase64(UNPADDED);
}
