import { isUtf16, utf8, UTF_16 } from "../core/utf8.ts";

/** Length of a key-encryption key: that of A256GCMKW. */
export const KEK_BYTES = 32;

/**
 * The key that a file or a command has given: 32 raw bytes, or their base64, base64url or hex text with or without a
 * line end. A text is overwritten.
 *
 * @returns why it is none, in words, if so.
 */
export function kekIn(data: Uint8Array): Uint8Array | string {
  if (data.length === KEK_BYTES) return data;
  const key = decodedKey(new TextDecoder().decode(data).trim());
  const why = isUtf16(data)
    ? UTF_16
    : `a KEK is ${KEK_BYTES} bytes, raw or as base64, base64url or hex`;
  data.fill(0);
  return key ?? why;
}

/** The key that a text spells as hex, base64 or base64url; `undefined` when it spells none. */
export function decodedKey(text: string): Uint8Array | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Uint8Array.fromHex(text);
  const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
  return /^[A-Za-z0-9+/]{43}=?$/.test(base64) ? Uint8Array.fromBase64(base64) : undefined;
}

/** Why bytes are not taken for a new passphrase; `undefined` when they are a text. */
export function faultOfPassphrase(bytes: Uint8Array): string | undefined {
  if (isUtf16(bytes)) return UTF_16;
  try {
    utf8(bytes);
    return undefined;
  } catch {
    return "the passphrase is no UTF-8 text";
  }
}
