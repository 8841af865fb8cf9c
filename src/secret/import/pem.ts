import { pemBlocks, type PemText } from "../../core/pem.ts";
import { unreadable } from "./imported.ts";
import { betweenQuotes, withLineEnds } from "./plain_text.ts";

/** A block of PEM (RFC 7468, RFC 1421 §4.6 for its headers). */
export interface PemBlock {
  readonly label: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly der: Uint8Array;
}

/** Blocks that belong to a key or say nothing of their own. */
const BESIDE = ["EC PARAMETERS"];

/**
 * A text as PEM has it: environment variables often hold `\n` for each line end, quotes, or lines joined by spaces.
 *
 * @returns `undefined` unless it begins with the block of a private key, or with what OpenSSL writes before one.
 */
export function privatePem(text: string): string | undefined {
  const lines = withLineEnds(text).replace(/^\uFEFF/, "").trim();
  const plain = betweenQuotes(lines)?.trim() ?? lines;
  const whole = plain.replace(/^(?:Bag Attributes|Key Attributes)[\s\S]*?(?=-----BEGIN )/, "");
  return /^-----BEGIN (EC PARAMETERS|[A-Z0-9 ]*PRIVATE KEY)-----/.test(whole) ? whole : undefined;
}

/**
 * The block of the one private key in a text from {@linkcode privatePem}.
 *
 * @throws {RekeyError} `usage` when it has several keys or other blocks, ends early, or something comes after it.
 */
export function keyBlock(text: string): PemBlock {
  const blocks = [...pemBlocks(text)];
  const keys = blocks.filter(({ label }) => label.endsWith("PRIVATE KEY"));
  if (keys.length > 1) {
    throw unreadable(
      `it has ${keys.length} private keys`,
      "Import the one that signs the tokens alone",
    );
  }
  const [key] = keys;
  if (key === undefined || key.label !== key.endLabel) {
    throw unreadable("it is a private key that ends early", "Copy all lines, from BEGIN to END");
  }
  const other = blocks.find(({ label }) => !BESIDE.includes(label) && label !== key.label);
  if (other !== undefined) {
    throw unreadable(
      "it has another block of PEM beside the private key",
      "Import the block of the private key alone",
    );
  }
  if (besides(text, blocks).trim() !== "") {
    throw unreadable(
      "something else stands beside its private key",
      "Import the lines from BEGIN to END alone",
    );
  }
  return { label: key.label, ...parts(key.body) };
}

function besides(text: string, blocks: readonly PemText[]): string {
  const ends = [0, ...blocks.map((block) => block.index + block.text.length)];
  return ends.map((end, n) => text.slice(end, blocks[n]?.index)).join("");
}

function parts(body: string): Pick<PemBlock, "headers" | "der"> {
  const headers: Record<string, string> = {};
  const base64 = body.replace(/^([A-Za-z-]+):[ \t]*(.*)$/gm, (_, name: string, value: string) => {
    headers[name.toLowerCase()] = value.trim();
    return "";
  }).replace(/\s+/g, "");
  const der = decoded(base64);
  if (der !== undefined) return { headers, der };
  throw unreadable(
    "it is a private key with characters that are not base64",
    "Copy the whole file again",
  );
}

function decoded(base64: string): Uint8Array | undefined {
  try {
    return Uint8Array.fromBase64(base64);
  } catch {
    return undefined;
  }
}
