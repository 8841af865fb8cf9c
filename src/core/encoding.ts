import { Buffer } from "node:buffer";

// Canonical: the unused bits of the last character are zero (RFC 4648 §3.5). The runtime's decoder accepts others, and
// throws for impossible lengths.
const BASE64URL = /^(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/;
// By the number of characters after the last four; one alone is impossible.
const CANONICAL_ENDS = [undefined, "", "AQgw", "AEIMQUYcgkosw048"];
const ALPHABET = { alphabet: "base64url" } as const;
const UNPADDED = { ...ALPHABET, omitPadding: true } as const;

/** Whether a text is canonical base64url without padding (RFC 7515 §2). */
export function isBase64url(text: string): boolean {
  return BASE64URL.test(text);
}

/**
 * Decodes base64url without padding (RFC 7515 §2). @returns `undefined` if the text is not canonical.
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
 * Like {@linkcode decodeBase64url}, into existing memory: allocating takes longer than decoding.
 *
 * @returns a part of `memory`; `undefined` also if it is too small.
 */
export function decodeInto(
  memory: Uint8Array<ArrayBuffer>,
  text: string,
): Uint8Array<ArrayBuffer> | undefined {
  const { length } = text;
  const ends = CANONICAL_ENDS[length % 4];
  if (ends !== undefined && !ends.includes(text[length - 1]!)) return undefined;
  try {
    const { read, written } = memory.setFromBase64(text, ALPHABET);
    // The decoder skips white space and padding: then there are fewer bytes than characters for them.
    const isWhole = read === length && written === Math.floor(length * 3 / 4);
    return isWhole ? memory.subarray(0, written) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const ENCODER = new TextEncoder();
const MEMORY = new Uint8Array(2 ** 14);

/** A text's UTF-8. @returns memory that the next call may overwrite. */
export function utf8Bytes(text: string): Uint8Array<ArrayBuffer> {
  const { read, written } = ENCODER.encodeInto(text, MEMORY);
  return read === text.length ? MEMORY.subarray(0, written) : ENCODER.encode(text);
}

/** Encodes a text's UTF-8 as base64url without padding. */
export function encodeText(text: string): string {
  return utf8Bytes(text).toBase64(UNPADDED);
}

// Keeps byte order marks and rejects invalid bytes, so that encoding the text again gives the same bytes.
const STRICT_UTF_8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
// The runtime has a quicker way for this one. It puts U+FFFD for what is not UTF-8, which may also have been written.
const UTF_8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Decodes UTF-8 without loss. @throws {TypeError} if the bytes are not UTF-8. */
export function utf8(bytes: Uint8Array): string {
  const text = UTF_8.decode(bytes);
  return text.includes("\ufffd") ? STRICT_UTF_8.decode(bytes) : text;
}

/** Joins pieces, and overwrites them: they may hold a secret. */
export function joinPieces(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  pieces.reduce((at, piece) => (whole.set(piece, at), at + piece.length), 0);
  pieces.forEach((piece) => piece.fill(0));
  return whole;
}

/** Why UTF-16 is refused, for messages. */
export const UTF_16 = "it is UTF-16, as PowerShell's > writes it";

/** Whether bytes begin with a byte order mark of UTF-16. */
export function isUtf16([first, second]: Uint8Array): boolean {
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}

/** The text of a PEM file (RFC 7468): its blocks are ASCII, its comments may have any encoding. */
export function pemText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** Whether percent-encoded bytes (RFC 3986 §2.1) are UTF-8. `URL` would replace others. */
export function escapesUtf8(text: string): boolean {
  try {
    text.match(/(?:%[0-9a-f]{2})+/gi)?.forEach(decodeURIComponent);
    return true;
  } catch {
    return false;
  }
}

/** A text as SQLite returns it, without NULs, which would end it, and unpaired surrogates, which would change. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

/**
 * Makes untrusted text safe for a terminal and for one line of a log: characters that control the terminal, end a line or
 * hide text (control and format characters, line separators) are escaped.
 */
export function printable(text: string): string {
  // Compiling the other pattern is slow, and most texts do not need it.
  if (/^[ -~]*$/.test(text)) return text;
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`);
}

/**
 * One line of JSON that is safe for a terminal and a log: what {@linkcode printable} escapes has JSON's own escapes here,
 * so that readers get the same texts.
 */
export function printableJson(value: unknown): string {
  const json = JSON.stringify(value);
  if (/^[ -~]*$/.test(json)) return json;
  return json.replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (c) =>
      c.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join(""),
  );
}
