import { Buffer } from "node:buffer";
import { constants, sign as signBytes, verify as verifyBytes } from "node:crypto";
import { PAIR_SCHEMES, type PairAlgorithm, type PairScheme } from "../core/algorithms.ts";
import { utf8Bytes } from "../core/encoding.ts";
import type { KeyPair } from "../core/key_pair.ts";
import { signatureBytes } from "./jws.ts";

/** Whether a signature is that of some bytes. The signature has the right length; of ECDSA it is R and S side by side. */
export type SignatureCheck = (
  signed: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
) => boolean;

/**
 * Makes the check for a key.
 *
 * @param spki the public key (RFC 5280 §4.1.2.7).
 * @returns `undefined` when the runtime is to do it.
 */
export type SignatureChecks = (
  spki: Uint8Array<ArrayBuffer>,
  scheme: PairScheme,
) => SignatureCheck | undefined;

// Of this thread: a server's threads have each their own.
let system: () => SignatureChecks | undefined = () => undefined;
const checks = new WeakMap<KeyPair, Map<PairAlgorithm, SignatureCheck>>();

/** From now on this thread verifies with a library of the system, where that takes the key. @param load it, when first needed. */
export function verifyWith(load: () => SignatureChecks | undefined): void {
  let loaded: { readonly checks: SignatureChecks | undefined } | undefined;
  system = () => (loaded ??= { checks: load() }).checks;
}

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
  const given = signatureBytes(signature);
  // The runtime must not be handed anything else: its code for ECDSA relies on the caller for the length, and its code
  // for RSA-PSS accepts a signature to which the modulus was added.
  if (given === undefined || !pair.hasSignatureForm(given)) return false;
  return checkOf(pair, alg)(utf8Bytes(text), given);
}

function checkOf(pair: KeyPair, alg: PairAlgorithm): SignatureCheck {
  let known = checks.get(pair);
  if (known === undefined) checks.set(pair, known = new Map());
  let check = known.get(alg);
  if (check === undefined) known.set(alg, check = newCheck(pair, PAIR_SCHEMES[alg]));
  return check;
}

function newCheck({ publicKey }: KeyPair, scheme: PairScheme): SignatureCheck {
  const spki = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
  return system()?.(spki, scheme) ?? ((signed, signature) => {
    try {
      return verifyBytes(
        scheme.hash,
        signed,
        { key: publicKey, ...paddingOf(scheme) },
        signature,
      );
    } catch {
      // R or S is no number that a signature can have.
      return false;
    }
  });
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
