import { Buffer } from "node:buffer";
import { createPublicKey } from "node:crypto";
import type { RekeyError } from "../../core/errors.ts";
import { layers, layerText } from "./encodings.ts";
import { unreadable } from "./imported.ts";
import { jsonOf } from "./json_text.ts";
import { derKind, isPublicDer } from "./key_der.ts";
import { AS_IT_IS, isEnvFile, PUBLIC, publicKind } from "./not_a_secret.ts";
import { type GivenJwk, isJwk, isPublicJwk } from "./private_jwk.ts";

/**
 * Refuses an input that has only public keys, as it is or {@linkcode layers encoded}: a token cannot prove them, since
 * whoever has the public key can make one.
 *
 * @throws {RekeyError} `usage`.
 */
export function refusePublic(input: string | Uint8Array): void {
  const what = publicIn(input);
  if (what === undefined) return;
  if (typeof input === "string" && isEnvFile(input)) {
    throw unreadable(
      `it is NAME=VALUE lines with ${what} among them`,
      `Name the variable of the secret with --name, such as JWT_SECRET; ${AS_IT_IS}`,
    );
  }
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
 * What the input is when it has only public keys, as it is or encoded, for messages: "a public key"; `undefined` for
 * anything else.
 */
export function publicIn(input: string | Uint8Array): string | undefined {
  for (const bytes of layers(input)) {
    const what = inBytes(bytes) ?? inText(layerText(bytes));
    if (what !== undefined) return what;
  }
  return undefined;
}

const PUBLIC_JSON = "JSON whose keys are public";

function inBytes(bytes: Uint8Array): string | undefined {
  const kind = derKind(bytes);
  if (isPublicDer(kind)) return kind;
  if (isPoint(bytes)) return "the point of a public key";
  return isSshKey(bytes) ? "an SSH public key" : undefined;
}

function inText(text: string): string | undefined {
  const kind = publicKind(text);
  if (kind !== undefined) return kind;
  const jwks = [...jwksIn(jsonOf(text))];
  return jwks.length > 0 && jwks.every(isPublicJwk) ? PUBLIC_JSON : undefined;
}

// RFC 4253 §6.6: the name of its algorithm after the length of that.
function isSshKey(bytes: Uint8Array): boolean {
  const [a, b, c, length = 0] = bytes;
  const name = Buffer.from(bytes.subarray(4, 4 + length)).toString("latin1");
  return a === 0 && b === 0 && c === 0 && /^(ssh-|ecdsa-sha2-|sk-)[\w@.-]+$/.test(name);
}

const CURVES: Readonly<Record<number, string>> = { 64: "P-256", 96: "P-384", 132: "P-521" };

/**
 * Whether bytes are an uncompressed point (SEC 1 §2.3.3), also without the 04 before its coordinates. Only the curve
 * tells it from a random secret, one in 2²⁵⁶ of which is on it. Every other random value is a compressed point, so that
 * such points cannot be told from secrets.
 */
function isPoint(bytes: Uint8Array): boolean {
  const both = bytes.length % 2 === 1 && bytes[0] === 4 ? bytes.subarray(1) : bytes;
  const crv = CURVES[both.length];
  if (crv === undefined) return false;
  const half = both.length / 2;
  const [x, y] = [both.subarray(0, half), both.subarray(half)]
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
