import { Buffer } from "node:buffer";
import { createPublicKey } from "node:crypto";
import type { RekeyError } from "../../core/errors.ts";
import { decodings } from "./encodings.ts";
import { unreadable } from "./imported.ts";
import { jsonOf } from "./json_text.ts";
import { derKind, isPublicDer } from "./key_der.ts";
import { AS_IT_IS, PUBLIC, publicKind } from "./not_a_secret.ts";
import { type GivenJwk, isJwk, isPublicJwk } from "./private_jwk.ts";

/**
 * Refuses a text, or bytes, that have only public keys: a token cannot prove them, since whoever has the public key can
 * make one. What a text encodes is not looked at.
 *
 * @throws {RekeyError} `usage`.
 */
export function refusePublic(input: string | Uint8Array): void {
  const what = typeof input === "string" ? inText(input) : inBytes(input);
  if (what === undefined) return;
  throw what === PUBLIC_JSON
    ? unreadable(
      `it is ${what}`,
      `${PUBLIC}, or name the secret beside it with --name; ${AS_IT_IS}`,
    )
    : unreadable(`it is ${what}`, `${PUBLIC}; ${AS_IT_IS}`);
}

/** The error for JWKs that are public keys. @param why a clause. */
export function publicJwkRefused(why: string): RekeyError {
  return unreadable(why, `${PUBLIC}, a JWK with a member d; ${AS_IT_IS}`);
}

/**
 * What the input is when it has only public keys, as it is or in hex or base64, for messages: "a public key";
 * `undefined` for anything else.
 */
export function publicIn(data: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(data);
  const own = inBytes(data) ?? inText(text);
  if (own !== undefined) return own;
  for (const bytes of decodings(text.trim())) {
    const encoded = inBytes(bytes);
    if (encoded !== undefined) return encoded;
  }
  return undefined;
}

const PUBLIC_JSON = "JSON whose keys are public";

function inBytes(bytes: Uint8Array): string | undefined {
  const kind = derKind(bytes);
  if (isPublicDer(kind)) return kind;
  if (isPoint(bytes)) return "the point of a public key";
  return inText(Buffer.from(bytes).toString("latin1"));
}

function inText(text: string): string | undefined {
  // Without what UTF-16 has between the letters.
  const plain = text.replaceAll("\0", "");
  const kind = publicKind(plain);
  if (kind !== undefined) return kind;
  const jwks = [...jwksIn(jsonOf(plain))];
  return jwks.length > 0 && jwks.every(isPublicJwk) ? PUBLIC_JSON : undefined;
}

const CURVES: Readonly<Record<number, string>> = { 65: "P-256", 97: "P-384", 133: "P-521" };

/**
 * Whether bytes are an uncompressed point (SEC 1 §2.3.3). Only the curve tells it from a random secret, one in 2²⁵⁶ of
 * which is on it. Every other random value is a compressed point, so that such points cannot be told from secrets.
 */
function isPoint(bytes: Uint8Array): boolean {
  const crv = CURVES[bytes.length];
  if (crv === undefined || bytes[0] !== 4) return false;
  const half = (bytes.length - 1) / 2;
  const [x, y] = [bytes.subarray(1, 1 + half), bytes.subarray(1 + half)]
    .map((number) => Buffer.from(number).toString("base64url"));
  try {
    // Not by Web Crypto, which takes points that are not on the curve.
    createPublicKey({ key: { kty: "EC", crv, x: x!, y: y! }, format: "jwk" });
    return true;
  } catch {
    return false;
  }
}

/** Every JWK in a JSON value, however deep, and in JSON that is a text in it. */
function* jwksIn(json: unknown): Generator<GivenJwk> {
  // Not by recursion, which a text of many brackets would bring to the end of the stack.
  const left = [json];
  while (left.length > 0) {
    const value = left.pop();
    const found = typeof value === "string" ? jsonOf(value) : value;
    if (typeof found !== "object" || found === null) continue;
    if (isJwk(found)) yield found;
    for (const part of Object.values(found)) left.push(part);
  }
}
