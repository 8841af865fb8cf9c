import { Buffer } from "node:buffer";
import { unzipSync } from "node:zlib";
import { isUtf16 } from "../../core/encoding.ts";
import { betweenQuotes, LINE_START, withLineEnds, withoutPadding } from "./plain_text.ts";

// Keys are found in base64 of base64 of a compressed file, and the like. More is made to be overlooked.
const MOST_ENCODINGS = 4;
const MOST_LAYERS = 100;
// In bytes, of what was compressed: it may grow to a thousand times its length, and no key has so many.
const LONGEST = 65_536;

/**
 * An input, then what it may encode, then what that may encode, and so on, in this order. A random secret decodes to
 * random bytes, and there it ends.
 */
export function* layers(input: string | Uint8Array): Generator<Uint8Array> {
  let found: Uint8Array[] = [typeof input === "string" ? Buffer.from(input) : input];
  let left = MOST_LAYERS;
  for (let depth = 0; depth <= MOST_ENCODINGS && found.length > 0; depth++) {
    yield* found;
    left -= found.length;
    found = found.flatMap((bytes) => [...decodings(bytes)]).slice(0, Math.max(left, 0));
  }
}

/** Bytes as a text: UTF-8, UTF-16 with or without its mark, else an extension of ASCII. */
export function layerText(bytes: Uint8Array): string {
  if (isUtf16(bytes)) {
    return new TextDecoder(bytes[0] === 0xff ? "utf-16le" : "utf-16be").decode(bytes);
  }
  // Without what UTF-16 has between the letters.
  return utf8Text(bytes).replaceAll("\0", "");
}

function utf8Text(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return Buffer.from(bytes).toString("latin1");
  }
}

function* decodings(bytes: Uint8Array): Generator<Uint8Array> {
  const plain = uncompressed(bytes);
  if (plain !== undefined) yield plain;
  const text = bare(layerText(bytes));
  const own = text.replace(LABEL, "");
  yield* decodedText(own);
  if (own !== text) yield* decodedText(text);
}

// What says how the rest is encoded: base64:…, hex:…, data:text/plain;base64,…
const LABEL = /^(?:data:[^,]*,|(?:base64|base64url|b64|base32|hex)\s*[:,]\s*)/i;

const COMMENT = new RegExp(`${LINE_START}#.*$`, "gm");

// Without comments and quotes, and with line ends for what variables have in their place.
function bare(text: string): string {
  const lines = withLineEnds(text).replace(COMMENT, "").trim();
  return betweenQuotes(lines)?.trim() ?? lines;
}

function* decodedText(text: string): Generator<Uint8Array> {
  // Tools write 30:59, 30 59, 0x3059, {0x30, 0x59} and \x30\x59.
  const hex = text.replace(/0x|\\x|[:\s,;{}[\]-]/gi, "");
  if (/^([0-9A-Fa-f]{2})+$/.test(hex)) yield Buffer.from(hex, "hex");
  if (/^[\w+/\s-]+={0,2}$/.test(text)) yield strictBase64(text) ?? Buffer.from(text, "base64");
  const base32 = withoutPadding(text.replace(/\s/g, ""));
  if (/^[A-Za-z2-7]+$/.test(base32)) yield fromBase32(base32.toUpperCase());
  if (/%[0-9A-Fa-f]{2}/.test(text)) yield unescaped(text);
}

/** Standard base64, perhaps with white space between; `undefined` for another text. */
export function strictBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    return undefined;
  }
}

/** RFC 4648 §6. Bits that fill no byte are left out. */
function fromBase32(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor(text.length * 5 / 8));
  let [bits, value, at] = [0, 0, 0];
  for (const letter of text) {
    value = (value << 5 | "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = value >> bits;
  }
  return bytes;
}

/** Percent-encoded bytes (RFC 3986 §2.1), each as the character of its number. */
function unescaped(text: string): Uint8Array {
  const plain = text.replace(
    /%([0-9A-Fa-f]{2})/g,
    (_, digits) => String.fromCharCode(parseInt(digits, 16)),
  );
  return Buffer.from(plain, "latin1");
}

/** What gzip (RFC 1952) or zlib (RFC 1950) has compressed; `undefined` for other bytes, and for more than any key has. */
function uncompressed(bytes: Uint8Array): Uint8Array | undefined {
  const [first, second] = bytes;
  if (!(first === 0x1f && second === 0x8b) && first !== 0x78) return undefined;
  try {
    return unzipSync(bytes, { maxOutputLength: LONGEST });
  } catch {
    return undefined;
  }
}
