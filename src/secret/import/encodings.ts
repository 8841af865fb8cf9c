import { Buffer } from "node:buffer";

/** What a text may encode, as hex (tools write it with colons) and as base64 of either alphabet. */
export function* decodings(plain: string): Generator<Uint8Array> {
  if (/^([0-9A-Fa-f]{2}[:\s]*)+$/.test(plain)) {
    yield Buffer.from(plain.replace(/[:\s]/g, ""), "hex");
  }
  if (/^[\w+/\s-]+={0,2}$/.test(plain)) yield strictBase64(plain) ?? Buffer.from(plain, "base64");
}

/** Standard base64, perhaps with white space between; `undefined` for another text. */
export function strictBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    return undefined;
  }
}
