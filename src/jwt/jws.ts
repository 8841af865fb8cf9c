import { decodeInto } from "../core/encoding.ts";
import { RekeyError } from "../core/errors.ts";
import { readStrictJson, StrictJsonError } from "../core/strict_json.ts";
import { numbered } from "../core/words.ts";

/** Length of the longest token that is accepted, in characters: longer than a header line may be. */
export const MAX_TOKEN_LENGTH = 16_384;

/** A JSON object of a token. */
export type JsonObject = Record<string, unknown>;

/** The parts of a compact JWS (RFC 7515 §7.1) with a JSON payload; nothing in it is verified yet. */
export interface ParsedJws {
  readonly header: JsonObject & { alg: string; kid?: string; typ?: string };
  readonly payload: JsonObject;
  /** The payload in base64url, if it is what {@linkcode encodeText} makes of the `JSON.stringify` of it. */
  readonly plainPayload: string | undefined;
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
  const first = token.indexOf(".");
  const second = token.indexOf(".", first + 1);
  if (second <= first || token.indexOf(".", second + 1) >= 0) throw notThreeParts(token);
  const header = token.slice(0, first);
  const payload = token.slice(first + 1, second);
  const signature = token.slice(second + 1);
  if (signatureBytes(signature) === undefined) throw notBase64url("signature");
  // Before the payload, which is not read if this refuses the token.
  const parsed = headerOf(header);
  const { value, isPlain } = parseObject(payload, "payload");
  return {
    header: parsed,
    payload: value,
    plainPayload: isPlain ? payload : undefined,
    signed: token.slice(0, second),
    signature,
  };
}

function notThreeParts(token: string): RekeyError {
  return malformed(
    `it has ${numbered(token.split(".").length, "part")}, a signed token has 3`,
    "Give the token itself, not the name of a file",
  );
}

// Signatures are asked for twice: whether they are base64url, and what they are.
const SIGNATURE = new Uint8Array(MAX_TOKEN_LENGTH);
let lastSignature:
  | { readonly text: string; readonly bytes: Uint8Array<ArrayBuffer> | undefined }
  | undefined;

/** The bytes of a signature in base64url. @returns `undefined` if it is not; memory that the next call overwrites. */
export function signatureBytes(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (lastSignature?.text !== text) {
    lastSignature = { text, bytes: decodeInto(SIGNATURE, text) };
  }
  return lastSignature.bytes;
}

// An issuer repeats its header, so the last one is nearly always this one too.
let last: { readonly encoded: string; readonly header: ParsedJws["header"] } | undefined;

function headerOf(encoded: string): ParsedJws["header"] {
  if (last?.encoded !== encoded) last = { encoded, header: Object.freeze(parseHeader(encoded)) };
  return last.header;
}

function parseHeader(encoded: string): ParsedJws["header"] {
  const { value: header } = parseObject(encoded, "header");
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

function parseObject(encoded: string, part: string) {
  try {
    const { value, isPlain } = readStrictJson(decode(encoded, part));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return { value: value as JsonObject, isPlain };
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

function malformed(why: string, hint?: string): RekeyError {
  return new RekeyError(
    "malformed",
    `Cannot verify the token: ${why}`,
    hint === undefined ? {} : { hint },
  );
}
