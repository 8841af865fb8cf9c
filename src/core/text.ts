import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";

/** How many characters a reason can have: all machines that share a secret keep those of the last hundred versions. */
export const LONGEST_REASON = 1_000;

/** How many characters the name of a request can have. */
export const LONGEST_REQUEST_ID = 200;

/** How long a command waits by default for another one that changes the secret, in milliseconds. */
export const LOCK_TIMEOUT_MS = 10_000;

// A byte order mark is a part of the text, and bytes that are no UTF-8 are not replaced: what is read is what was written.
const UTF_8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The text that bytes are, so that encoding it again gives the same bytes.
 *
 * @throws {TypeError} when they are not UTF-8.
 */
export function utf8(bytes: Uint8Array): string {
  return UTF_8.decode(bytes);
}

/** Why a text in UTF-16 is refused, for messages. */
export const UTF_16 = "it is UTF-16, as PowerShell's > writes it";

/** Whether bytes begin as a text in UTF-16 does: with a byte order mark of either kind. */
export function isUtf16([first, second]: Uint8Array): boolean {
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}

/** The text of a PEM file (RFC 7468). Its blocks are ASCII, and the remarks around them may be in any encoding. */
export function pemText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** Whether what stands behind percent signs (RFC 3986 §2.1) is UTF-8; a URL's parser would put other characters there. */
export function escapesUtf8(text: string): boolean {
  try {
    text.match(/(?:%[0-9a-f]{2})+/gi)?.forEach(decodeURIComponent);
    return true;
  } catch {
    return false;
  }
}

/** A text as SQLite gives it back: a NUL would end it there, and half of a surrogate pair would be another character. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

/** Whether two texts are the same, character by character; how long it takes tells nothing of where they differ. */
export function sameText(one: string, two: string): boolean {
  // Not as UTF-8, in which half of a surrogate pair is the same as another character.
  const [a, b] = [Buffer.from(one, "utf16le"), Buffer.from(two, "utf16le")];
  const same = a.length === b.length && timingSafeEqual(a, b);
  for (const copy of [a, b]) copy.fill(0);
  return same;
}
