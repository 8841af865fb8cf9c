import { Buffer } from "node:buffer";
import { constants, sign as signBytes, verify as verifyBytes } from "node:crypto";
import { PAIR_SCHEMES, type PairAlgorithm, type PairScheme } from "../core/algorithms.ts";
import { decodeBase64url } from "../core/encoding.ts";
import type { KeyPair } from "../core/key_pair.ts";

/**
 * Whether a signature of a key pair is that of a text (RFC 7518 §3.3 to §3.5, RFC 8037 §3.1).
 *
 * @param alg one that the key suits.
 * @param signature in base64url.
 */
export function isSignedByPair(
  pair: KeyPair,
  alg: PairAlgorithm,
  text: string,
  signature: string,
): boolean {
  const given = decodeBase64url(signature);
  // The runtime must not be handed another length: its code for ECDSA relies on the caller.
  if (given === undefined || !pair.hasSignatureLength(given)) return false;
  const scheme = PAIR_SCHEMES[alg];
  try {
    return verifyBytes(
      scheme.hash,
      Buffer.from(text),
      { key: pair.publicKey, ...paddingOf(scheme) },
      given,
    );
  } catch {
    // R or S is no number that a signature can have.
    return false;
  }
}

/** The signature of a text by a key pair, in base64url; of ECDSA in the form of RFC 7518 §3.4. */
export function signedByPair({ privateKey }: KeyPair, alg: PairAlgorithm, text: string): string {
  const scheme = PAIR_SCHEMES[alg];
  const key = { key: privateKey, ...paddingOf(scheme) };
  return signBytes(scheme.hash, Buffer.from(text), key).toString("base64url");
}

// R and S of ECDSA have fixed lengths in a token, and are no ASN.1 there.
function paddingOf({ kind, salt }: PairScheme) {
  if (kind.kty === "EC") return { dsaEncoding: "ieee-p1363" } as const;
  if (salt === undefined) return {};
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: salt };
}
