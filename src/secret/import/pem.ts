import { unreadable } from "./imported.ts";

/** A block of PEM (RFC 7468, RFC 1421 §4.6 for its headers). */
export interface PemBlock {
  readonly label: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly der: Uint8Array;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END ([A-Z0-9 ]*)-----/g;

/** Blocks that belong to a key or say nothing of their own. */
const BESIDE = ["EC PARAMETERS"];

/**
 * A text as PEM has it: environment variables often hold `\n` for each line end, quotes, or lines joined by spaces.
 *
 * @returns `undefined` unless it begins with the block of a private key, or with what OpenSSL writes before one.
 */
export function privatePem(text: string): string | undefined {
  const unescaped = /\\+[rn]/.test(text) ? text.replace(/\\+[rn]/g, "\n") : text;
  const plain = unquoted(unescaped.replace(/^\uFEFF/, "").trim());
  const whole = plain.replace(/^(?:Bag Attributes|Key Attributes)[\s\S]*?(?=-----BEGIN )/, "");
  return /^-----BEGIN (EC PARAMETERS|[A-Z0-9 ]*PRIVATE KEY)-----/.test(whole) ? whole : undefined;
}

function unquoted(text: string): string {
  return /^(["'`])([\s\S]*)\1$/.exec(text)?.[2]?.trim() ?? text;
}

/**
 * The block of the one private key in a text from {@linkcode privatePem}.
 *
 * @throws {RekeyError} `usage` when it has several keys or other blocks, ends early, or something comes after it.
 */
export function keyBlock(text: string): PemBlock {
  const blocks = [...text.matchAll(BLOCK)];
  const keys = blocks.filter(([, label]) => label!.endsWith("PRIVATE KEY"));
  if (keys.length > 1) {
    throw unreadable(
      `it has ${keys.length} private keys`,
      "Import the one that signs the tokens alone",
    );
  }
  const [key] = keys;
  if (key === undefined || key[1] !== key[3]) {
    throw unreadable("it is a private key that ends early", "Copy all lines, from BEGIN to END");
  }
  const other = blocks.find(([, label]) => !BESIDE.includes(label!) && label !== key[1]);
  if (other !== undefined) {
    throw unreadable(
      "it has another block of PEM beside the private key",
      "Import the block of the private key alone",
    );
  }
  if (text.replace(BLOCK, "").trim() !== "") {
    throw unreadable(
      "something else stands beside its private key",
      "Import the lines from BEGIN to END alone",
    );
  }
  return { label: key[1]!, ...parts(key[2]!) };
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
