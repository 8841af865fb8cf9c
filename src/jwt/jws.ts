import { RekeyError } from "../core/errors.ts";
import { decodeInto, isBase64url, utf8 } from "../core/encoding.ts";

/** A text is not the JSON that a token may carry; the message says why. */
export class StrictJsonError extends Error {
  override readonly name = "StrictJsonError";
}

// Parsers limit nesting, 64 being the lowest common limit (RFC 8259 §9), and so does the runtime when it passes a
// value to another thread: there it would fail as a bug in the middle of a request.
const MAX_DEPTH = 64;

/**
 * Parses JSON so that no two parsers can read it differently (RFC 8725 §2.4): valid UTF-8, no duplicate member name, no
 * lone surrogate and no NUL in a string, no number that a double cannot hold (RFC 7493 §2.2), at most 64 levels of
 * nesting.
 *
 * @throws {StrictJsonError} for anything else.
 */
export function parseStrictJson(bytes: Uint8Array): unknown {
  let text: string;
  let value: unknown;
  try {
    text = utf8(bytes);
  } catch {
    throw new StrictJsonError("it is not UTF-8");
  }
  try {
    value = JSON.parse(text);
  } catch {
    throw new StrictJsonError("it is not JSON");
  }
  checkTokens(text);
  return value;
}

// The text is known to be JSON, so only strings, numbers and brackets matter: a string before a colon is a member
// name. `names` has a set for every open object and `null` for every open array.
function checkTokens(text: string): void {
  const names: (Set<string> | null)[] = [];
  for (const token of text.match(TOKENS) ?? []) {
    const first = token[0];
    if (first === '"') checkString(token, names.at(-1));
    else if (first === "{") names.push(new Set());
    else if (first === "[") names.push(null);
    else if (first === "}" || first === "]") names.pop();
    else checkNumber(token);
    if (names.length > MAX_DEPTH) throw new StrictJsonError("it is nested too deeply");
  }
}

const TOKENS = /"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]|-?\d[\d.eE+-]*/g;

function checkNumber(token: string): void {
  const value = Number(token);
  // A double holds every safe integer, and some larger ones.
  const isWhole = /^-?\d+$/.test(token);
  if (isWhole ? Number.isSafeInteger(value) || isExact(token, value) : Number.isFinite(value)) {
    return;
  }
  throw new StrictJsonError("a number is too large to be exact");
}

function isExact(whole: string, value: number): boolean {
  return Number.isFinite(value) && BigInt(whole) === BigInt(value);
}

function checkString(token: string, names: Set<string> | null | undefined): void {
  const end = token.lastIndexOf('"') + 1;
  const string = token.includes("\\") ? checkEscapes(token.slice(0, end)) : token.slice(1, end - 1);
  if (end === token.length || !names) return;
  if (names.has(string)) throw new StrictJsonError("it has a duplicate member name");
  names.add(string);
}

// Only escapes can bring a lone surrogate or a NUL into JSON in UTF-8.
function checkEscapes(literal: string): string {
  const string: string = JSON.parse(literal);
  if (!string.isWellFormed()) throw new StrictJsonError("a string has a lone surrogate");
  if (string.includes("\0")) throw new StrictJsonError("a string has a NUL");
  return string;
}

/** Length of the longest token that is accepted, in characters: longer than a header line may be. */
export const MAX_TOKEN_LENGTH = 16_384;

/** A JSON object of a token. */
export type JsonObject = Record<string, unknown>;

/** The parts of a compact JWS (RFC 7515 §7.1) with a JSON payload; nothing in it is verified yet. */
export interface ParsedJws {
  readonly header: JsonObject & { alg: string; kid?: string; typ?: string };
  readonly payload: JsonObject;
  /** What was signed: header and payload, still encoded. */
  readonly signed: string;
  /** In canonical base64url. */
  readonly signature: string;
}

// Header parameters that make a verifier take a key from the token, fetch one, or treat the token as something else
// (RFC 8725 §3.1, §3.9, §3.10). None applies to a shared key.
const REFUSED_PARAMETERS = ["crit", "b64", "jwk", "jku", "x5c", "x5u", "zip", "enc"] as const;

/**
 * Parses a token. Base64url must be canonical and JSON unambiguous, so that a token has one spelling and one meaning.
 *
 * @throws {RekeyError} `too_large` or `malformed`. The message never quotes the token.
 */
export function parseJws(token: string): ParsedJws {
  if (token.length > MAX_TOKEN_LENGTH) {
    throw new RekeyError(
      "too_large",
      `Cannot verify the token: it is longer than ${MAX_TOKEN_LENGTH} characters`,
    );
  }
  if (token === "") throw malformed("it is empty");
  const parts = token.split(".");
  if (parts.length !== 3) {
    throw malformed(
      `it has ${parts.length} part${parts.length === 1 ? "" : "s"}, a signed token has 3`,
    );
  }
  const [header, payload, signature] = parts as [string, string, string];
  if (!isBase64url(signature)) throw notBase64url("signature");
  return {
    header: headerOf(header),
    payload: parseObject(payload, "payload"),
    signed: token.slice(0, token.lastIndexOf(".")),
    signature,
  };
}

// An issuer repeats its header, so the last one is nearly always this one too.
let last: { readonly encoded: string; readonly header: ParsedJws["header"] } | undefined;

function headerOf(encoded: string): ParsedJws["header"] {
  if (last?.encoded !== encoded) last = { encoded, header: Object.freeze(parseHeader(encoded)) };
  return last.header;
}

function parseHeader(encoded: string): ParsedJws["header"] {
  const header = parseObject(encoded, "header");
  const { alg, kid, typ, cty } = header;
  if (typeof alg !== "string") throw malformed("its header has no alg");
  if (kid !== undefined && typeof kid !== "string") throw malformed("its kid is not a string");
  if (typ !== undefined && typeof typ !== "string") throw malformed("its typ is not a string");
  if (cty !== undefined && !isPlainContent(cty)) {
    throw malformed("its header has cty: nested tokens are not accepted");
  }
  const refused = REFUSED_PARAMETERS.find((name) => Object.hasOwn(header, name));
  if (refused !== undefined) throw malformed(`its header has ${refused}`);
  return header as ParsedJws["header"];
}

// RFC 7519 §5.2: `JWT` means that the payload is itself a token. Some issuers put a name of their claims here.
function isPlainContent(cty: unknown): boolean {
  return typeof cty === "string" && cty !== "" && !/jw[est]|jose/i.test(cty);
}

function parseObject(encoded: string, part: string): JsonObject {
  try {
    const value = parseStrictJson(decode(encoded, part));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as JsonObject;
    }
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    throw malformed(`its ${part} cannot be read: ${error.message}`);
  }
  throw malformed(`its ${part} is not a JSON object`);
}

// Reused for every part: the decoded bytes are parsed before the next part is decoded.
const MEMORY = new Uint8Array(MAX_TOKEN_LENGTH);

function decode(encoded: string, part: string): Uint8Array {
  const bytes = decodeInto(MEMORY, encoded);
  if (bytes === undefined) throw notBase64url(part);
  return bytes;
}

function notBase64url(part: string): RekeyError {
  return malformed(`its ${part} is not base64url`);
}

function malformed(why: string): RekeyError {
  return new RekeyError("malformed", `Cannot verify the token: ${why}`);
}
