import { type Algorithm, HMAC_ALGORITHMS, type HmacAlgorithm } from "../../core/algorithms.ts";
import { unreadable } from "./imported.ts";
import { keyOfJwk } from "./private_key.ts";
import { type GivenJwk, isForSigning, isJwk, isPrivateJwk, isPublicJwk } from "./private_jwk.ts";
import { PUBLIC } from "./not_a_secret.ts";
import { publicIn, publicJwkRefused } from "./public_key.ts";
import type { Reading } from "./reading.ts";

/** A JWK, a set (RFC 7517 §5), or the list in it alone, as some applications have it. */
export type JwkOrSet = GivenJwk | readonly unknown[];

/** Whether a value is a JWK Set, or a list of JWKs. */
export function isJwkSet(value: unknown): value is JwkOrSet {
  return listOf(value)?.some(isJwk) === true;
}

function listOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value;
  const keys = (value as GivenJwk | undefined)?.keys;
  return Array.isArray(keys) ? keys : undefined;
}

/**
 * The key of a JWK, or of a set, that signs.
 *
 * @param kid chooses one of a set.
 * @throws {RekeyError} `usage` unless exactly one key matches, or when it is not for signing tokens.
 */
export function jwkReading(value: JwkOrSet, kid?: string): Reading {
  const jwk = jwkOf(value, kid);
  return jwk.kty === "oct" ? symmetric(jwk) : { text: "", key: keyOfJwk(jwk) };
}

function jwkOf(value: JwkOrSet, kid: string | undefined): GivenJwk {
  const list = listOf(value)?.filter(isJwk);
  const keys = list ?? [value as GivenJwk];
  const named = list === undefined || kid === undefined
    ? keys
    : keys.filter((key) => key.kid === kid);
  if (named.length === 0) {
    throw unreadable(
      "no JWK of the set has that kid",
      "Name the member kid of one, with --name or --kid",
    );
  }
  const signing = named.filter((key) =>
    (key.kty === "oct" || isPrivateJwk(key)) && isForSigning(key)
  );
  if (signing.length === 1) return signing[0]!;
  if (signing.length === 0) throw signsNothing(named, list !== undefined);
  throw severalKeys(signing);
}

function severalKeys(keys: readonly GivenJwk[]) {
  const isAlone = ({ kid }: GivenJwk) =>
    typeof kid === "string" && keys.filter((key) => key.kid === kid).length === 1;
  if (keys.some(isAlone)) {
    return unreadable(
      "the JWK Set has several keys",
      "Name the kid of one with --name, or with --kid",
    );
  }
  return unreadable(
    "the JWK Set has several keys, which no kid tells apart",
    "Save the one that signs the tokens in a file of its own, from { to }, and import that",
  );
}

function signsNothing(keys: readonly GivenJwk[], isSet: boolean) {
  if (keys.every(isPublicJwk)) {
    return publicJwkRefused(isSet ? "its JWKs are public keys" : "it is a public JWK");
  }
  return unreadable(
    isSet ? "its JWKs are of other kinds" : "it is a JWK of another kind",
    "Only a JWK that is for signing can be imported: one of kty oct, or with a member d",
  );
}

/**
 * The HMAC secret of a JWK: `k` is base64url (RFC 7518 §6.4.1).
 *
 * @throws {RekeyError} `usage` when it has no `k`, or is for another algorithm.
 */
function symmetric({ k, alg, kid }: GivenJwk): Reading {
  if (typeof k !== "string" || k === "") throw unreadable("the JWK has no k", "It is no key then");
  if (alg !== undefined && !HMAC_ALGORITHMS.includes(alg as HmacAlgorithm)) {
    const hint = `A JWK of kty oct signs tokens with ${HMAC_ALGORITHMS.join(", ")}`;
    throw unreadable("the JWK is for another algorithm", hint);
  }
  const known = publicIn(k);
  if (known !== undefined) {
    const hint = `${PUBLIC}; if the application does use it, import k alone with --literal`;
    throw unreadable(`the k of the JWK is ${known}`, hint);
  }
  return {
    text: k,
    encoding: "base64url",
    alg: alg as Algorithm | undefined,
    kid: typeof kid === "string" ? kid : undefined,
  };
}
