import { Buffer } from "node:buffer";
import { constants, sign as signBytes, verify as verifyBytes } from "node:crypto";
import {
  type Algorithm,
  isHmac,
  PAIR_SCHEMES,
  type PairAlgorithm,
  type PairScheme,
} from "../core/algorithms.ts";
import type { MaybeAsync } from "../core/async.ts";
import { decodeBase64url, encodeText } from "../core/encoding.ts";
import type { KeyPair, PublicJwk } from "../core/key_pair.ts";
import type { KeyForm, Secret } from "../core/secret.ts";
import { hmacText, isHmacOf } from "./hmac.ts";
import type { JsonObject } from "./jws.ts";

/** How a version's value signs. */
export interface SigningUse {
  readonly alg: Algorithm;
  readonly key_form: KeyForm;
}

/**
 * Whether a signature is that of a text (RFC 7515 §5.2, RFC 7518 §3, RFC 8037 §3.1). The caller has checked the token's
 * algorithm: it is never what decides here.
 *
 * @param signature in base64url.
 */
export function isSignedWith(
  secret: Secret,
  { alg, key_form }: SigningUse,
  text: string,
  signature: string,
): MaybeAsync<boolean> {
  const { pair } = secret;
  // A version whose value is of the other kind verifies nothing: a public key can never serve as an HMAC key.
  if (isHmac(alg)) {
    return pair === undefined && key_form !== "pkcs8" &&
      isHmacOf(secret, key_form, alg, text, signature);
  }
  return pair !== undefined && pair.suits(alg) && isSignedByPair(pair, alg, text, signature);
}

function isSignedByPair(
  { publicKey }: KeyPair,
  alg: PairAlgorithm,
  text: string,
  signature: string,
): boolean {
  const given = decodeBase64url(signature);
  if (given === undefined) return false;
  const scheme = PAIR_SCHEMES[alg];
  try {
    return verifyBytes(
      scheme.hash,
      Buffer.from(text),
      { key: publicKey, ...paddingOf(scheme) },
      given,
    );
  } catch {
    // Of another length than the algorithm's signatures.
    return false;
  }
}

/**
 * Signs a token: a compact JWS (RFC 7515 §7.1) of a header, which gets the `alg`, and claims.
 *
 * @throws {Error} when the value is of another kind than the algorithm needs.
 */
export function signCompact(
  secret: Secret,
  use: SigningUse,
  header: JsonObject,
  claims: JsonObject,
): string {
  const parts = [{ alg: use.alg, ...header }, claims];
  const text = parts.map((part) => encodeText(JSON.stringify(part))).join(".");
  return `${text}.${signatureOf(secret, use, text)}`;
}

function signatureOf(secret: Secret, { alg, key_form }: SigningUse, text: string): string {
  if (isHmac(alg)) return hmacText(secret, key_form, alg, text);
  const { pair } = secret;
  if (pair?.suits(alg) !== true) throw new Error(`Not a key for ${alg}`);
  const scheme = PAIR_SCHEMES[alg];
  const key = { key: pair.privateKey, ...paddingOf(scheme) };
  return signBytes(scheme.hash, Buffer.from(text), key).toString("base64url");
}

/** The key with which a library verifies tokens of a version: HMAC bytes, or the public half as a JWK. */
export function verifyingKey(
  secret: Secret,
  { alg, key_form }: SigningUse,
): Uint8Array | PublicJwk {
  return isHmac(alg) ? secret.hmacKey(key_form) : secret.pair!.publicJwk;
}

// R and S of ECDSA have fixed lengths in a token, and are no ASN.1 there.
function paddingOf({ kind, salt }: PairScheme) {
  if (kind.kty === "EC") return { dsaEncoding: "ieee-p1363" } as const;
  if (salt === undefined) return {};
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: salt };
}
