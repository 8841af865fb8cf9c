import { decodeInto, isBase64url } from "../core/base64url.ts";
import { RekeyError } from "../core/errors.ts";
import { parseStrictJson, StrictJsonError } from "./strict_json.ts";

/** Longest token that is looked at, in characters: more than any header line may be long. */
export const MAX_TOKEN_LENGTH = 16_384;

/** A JSON object of a token. */
export type JsonObject = Record<string, unknown>;

/** The parts of a compact JWS (RFC 7515 §7.1) with a JSON payload; nothing in it is verified yet. */
export interface ParsedJws {
  readonly header: JsonObject & { alg: string; kid?: string; typ?: string };
  readonly payload: JsonObject;
  /** What the signature is over. */
  readonly signed: string;
  /** In canonical base64url. */
  readonly signature: string;
}

// Header parameters that ask the verifier to take a key from the token, to fetch one, or to treat the
// token as something else (RFC 8725 §3.1, §3.9, §3.10). None has a meaning for one shared key.
const REFUSED_PARAMETERS = ["crit", "b64", "jwk", "jku", "x5c", "x5u", "zip", "enc"] as const;

/**
 * Takes a token apart. Base64url must be canonical and JSON unambiguous, so that one token has one
 * spelling and one meaning.
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

// An issuer writes the same header each time, so the last one is nearly always this one too.
let last: { readonly encoded: string; readonly header: ParsedJws["header"] } | undefined;

function headerOf(encoded: string): ParsedJws["header"] {
  if (last?.encoded !== encoded) last = { encoded, header: Object.freeze(parseHeader(encoded)) };
  return last.header;
}

function parseHeader(encoded: string): ParsedJws["header"] {
  const header = parseObject(encoded, "header");
  const { alg, kid, typ, cty } = header;
  if (typeof alg !== "string") throw malformed("its header names no algorithm");
  if (kid !== undefined && typeof kid !== "string") throw malformed("its kid is no string");
  if (typ !== undefined && typeof typ !== "string") throw malformed("its typ is no string");
  if (cty !== undefined && !isPlainContent(cty)) {
    throw malformed("its header has cty: nested tokens are not accepted");
  }
  const refused = REFUSED_PARAMETERS.find((name) => Object.hasOwn(header, name));
  if (refused !== undefined) throw malformed(`its header has ${refused}`);
  return header as ParsedJws["header"];
}

// RFC 7519 §5.2: `JWT` says that the payload is a token again. Some issuers name their own kind of claims instead.
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
  throw malformed(`its ${part} is no JSON object`);
}

// For what is read at once and then no more.
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
