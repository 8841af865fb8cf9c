import { usageError } from "../core/errors.ts";
import { parseStrictJson, StrictJsonError } from "../core/strict_json.ts";
import { type JsonObject, MAX_TOKEN_LENGTH } from "./jws.ts";

/** Names that no further claim may have, each with what decides about it. */
const DECIDED: Readonly<Record<string, string>> = {
  iss: "--iss and the policy set it",
  sub: "--sub sets it; in a login it is the user",
  aud: "--aud sets it, several times for several audiences",
  exp: "--ttl sets it",
  nbf: "rekey's tokens are valid at once",
  iat: "it is the time at which the token is signed",
  jti: "it names the session, so that the session can be ended",
  kid: "it is in the token's header, and names the version that signed it",
};

/**
 * Checks claims that an operator adds to a token: none that rekey sets itself, and nothing that a strict parser would
 * refuse (`core/strict_json.ts`).
 *
 * @throws {RekeyError} `usage`. The message names claims, and quotes no value.
 */
export function mustBeOwnClaims(claims: JsonObject): void {
  for (const name of Object.keys(claims)) {
    const decided = Object.hasOwn(DECIDED, name) ? DECIDED[name] : undefined;
    if (decided !== undefined) throw usageError(`Cannot set the claim ${name}: ${decided}`, HINT);
    if (name === "") throw usageError("Cannot set a claim without a name", HINT);
  }
  const bytes = new TextEncoder().encode(JSON.stringify(claims));
  if (bytes.length > MAX_TOKEN_LENGTH) {
    throw usageError(
      `Cannot set claims of more than ${MAX_TOKEN_LENGTH} bytes`,
      "Say less in them",
    );
  }
  parseClaims(bytes, "the claims");
}

// White space takes room too. The parser is not made for millions of characters.
const LONGEST_SOURCE = 16 * MAX_TOKEN_LENGTH;

const HINT = "Leave it out of --claim and --claims-file";

/**
 * Reads a JSON object of claims.
 *
 * @param from where it comes from, for messages.
 * @throws {RekeyError} `usage` when it is not one, or not strict JSON.
 */
export function parseClaims(bytes: Uint8Array, from: string): JsonObject {
  if (bytes.length > LONGEST_SOURCE) {
    throw usageError(`Cannot use ${from}: it is larger than ${LONGEST_SOURCE} bytes`, "Say less");
  }
  const value = strictJson(bytes, from);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as JsonObject;
  }
  throw usageError(`Cannot use ${from}: it is not a JSON object`, 'Write {"name": value, …}');
}

function strictJson(bytes: Uint8Array, from: string): unknown {
  try {
    return parseStrictJson(bytes);
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    throw usageError(`Cannot use ${from}: ${error.message}`, 'Write {"name": value, …}');
  }
}
