import { type Algorithm, ALGORITHMS } from "../../jwt/policy.ts";
import { unreadable } from "./imported.ts";
import type { Reading } from "./source.ts";

const PARTS = /"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]/g;

/** Names that occur twice in an object of a JSON text: `JSON.parse` takes the last one, other parsers the first. */
export function repeatedNames(json: string): Set<string> {
  const repeated = new Set<string>();
  const open: Set<string>[] = [];
  for (const part of json.match(PARTS) ?? []) {
    if (part === "{" || part === "[") open.push(new Set());
    else if (part === "}" || part === "]") open.pop();
    else if (part.endsWith(":")) {
      const name: string = JSON.parse(part.slice(0, part.lastIndexOf('"') + 1));
      if (open.at(-1)?.has(name)) repeated.add(name);
      open.at(-1)?.add(name);
    }
  }
  return repeated;
}

type Json = Record<string, unknown>;

/** Whether a value is a JWK (RFC 7517 §4). */
export function isJwk(value: unknown): value is Json {
  return typeof (value as Json | undefined)?.kty === "string";
}

/** Whether a value is a JWK Set (RFC 7517 §5). */
export function isJwkSet(value: unknown): value is Json {
  return Array.isArray((value as Json | undefined)?.keys) &&
    ((value as Json).keys as unknown[]).some(isJwk);
}

/**
 * The symmetric key of a JWK or of a set.
 *
 * @param kid chooses one of a set.
 * @throws {RekeyError} `usage` unless exactly one key matches.
 */
export function jwkOf(value: Json, kid?: string): Json {
  const all: unknown = value.keys;
  const keys = Array.isArray(all) ? all.filter(isJwk) : [value];
  const named = kid === undefined ? keys : keys.filter((key) => key.kid === kid);
  if (named.length === 0) {
    throw unreadable("no JWK of the set has that kid", "Name one with --name");
  }
  const symmetric = named.filter(({ kty, use }) => kty === "oct" && use !== "enc");
  if (symmetric.length === 0) {
    const hint = "Only a JWK with kty oct that is for signing is an HMAC key (RFC 7518 §6.4)";
    throw unreadable(
      Array.isArray(all) ? "its JWKs are of other kinds" : "it is a JWK of another kind",
      hint,
    );
  }
  if (symmetric.length === 1) return symmetric[0]!;
  throw unreadable("the JWK Set has several keys", "Name the kid of one with --name");
}

/**
 * The key of a JWK: `k` is base64url (RFC 7518 §6.4.1).
 *
 * @throws {RekeyError} `usage` when it has no `k`, or is for another algorithm.
 */
export function jwkReading({ k, alg, kid }: Json): Reading {
  if (typeof k !== "string" || k === "") throw unreadable("the JWK has no k", "It is no key then");
  if (alg !== undefined && !ALGORITHMS.includes(alg as Algorithm)) {
    const hint = `Tokens are signed with ${ALGORITHMS.join(", ")}`;
    throw unreadable("the JWK is for another algorithm", hint);
  }
  return {
    text: k,
    encoding: "base64url",
    alg: alg as Algorithm | undefined,
    kid: typeof kid === "string" ? kid : undefined,
  };
}
