// The runtime's decoder throws for a length that no bytes have.
const BASE64URL = /^(?:[\w-]{4})*(?:[\w-]{2,3})?$/;
const ALPHABET = { alphabet: "base64url" } as const;
const UNPADDED = { ...ALPHABET, omitPadding: true } as const;

/** Bytes as base64url without padding (RFC 7515 §2). */
export function encodeBase64url(bytes: Uint8Array): string {
  return bytes.toBase64(UNPADDED);
}

/**
 * The bytes of a base64url text without padding (RFC 7515 §2), or `undefined` for any text but the only canonical
 * one: the bits that a last character leaves unused are zero (RFC 4648 §3.5).
 *
 * @example
 * ```ts
 * decodeBase64url("aGk"); // the bytes of "hi"
 * decodeBase64url("aGl"); // undefined
 * ```
 */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!BASE64URL.test(text)) return undefined;
  const bytes = Uint8Array.fromBase64(text, ALPHABET);
  // The decoder forgives; encoding again tells whether it had to.
  return encodeBase64url(bytes) === text ? bytes : undefined;
}
