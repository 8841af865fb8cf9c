import { type Algorithm, isHmac, isSameAlgorithm, type PairAlgorithm } from "../core/algorithms.ts";
import { RekeyError, usageError } from "../core/errors.ts";
import type { ParsedJws } from "../jwt/jws.ts";
import { isSignedByPair } from "../jwt/pair_signatures.ts";
import { unreadable } from "../secret/import/imported.ts";
import type { PrivateKey } from "../secret/import/private_key.ts";
import { isUsableKid, LONGEST_KID } from "../secret/token_kid.ts";
import { notSigned, type SecretUsage, type StatedUsage } from "./secret_usage.ts";

/**
 * How the application uses its private key, from the flags and the key: the algorithm that its JWK names, else the usual
 * one of such a key.
 *
 * @throws {RekeyError} `usage` when they contradict each other.
 */
export function statedKey(key: PrivateKey, said: StatedUsage): SecretUsage {
  const alg = algorithmOf(key, said) ?? key.algorithms[0]!;
  return usageOf(key, alg, mustBeUsable(said.kid ?? key.kid));
}

/**
 * How the application uses its private key, from a token that it has signed: the token's algorithm and kid.
 *
 * @throws {RekeyError} `alg_not_allowed`, `bad_signature`; `usage` when the token has another kid than is stated.
 */
export function provenKey(
  key: PrivateKey,
  said: StatedUsage,
  { header, signed, signature }: ParsedJws,
): SecretUsage {
  const wanted = algorithmOf(key, said);
  const allowed = wanted === undefined ? key.algorithms : [wanted];
  const alg = allowed.find((one) => isSameAlgorithm(header.alg, one));
  if (alg === undefined) throw otherAlgorithm(allowed);
  if (!isSignedByPair(key.secret.pair!, alg, signed, signature)) throw notSigned();
  // EdDSA and Ed25519 are one algorithm: the name that the application's tokens have stays.
  const name = key.algorithms.find((one) => one === header.alg) ?? alg;
  return { ...usageOf(key, wanted ?? name, undefined), ...kidFor(said.kid, key.kid, header.kid) };
}

// A kid that new tokens cannot have gives way to one that is stated.
function kidFor(
  said: string | undefined,
  named: string | undefined,
  used: string | undefined,
): Pick<SecretUsage, "kid" | "losesKid"> {
  const kid = said ?? named;
  const losesKid = !!used && !isUsableKid(used);
  if (kid !== undefined && used && !losesKid && kid !== used) throw otherKid(named, used);
  return { kid: mustBeUsable(kid ?? used), losesKid };
}

function usageOf(
  { secret, format }: PrivateKey,
  alg: PairAlgorithm,
  kid: string | undefined,
): SecretUsage {
  return { secret, keyForm: "pkcs8", encoding: format, alg, kid };
}

function algorithmOf(key: PrivateKey, said: StatedUsage): PairAlgorithm | undefined {
  if (said.encoding !== undefined) {
    throw usageError(
      "Cannot use --encoding with a private key",
      "Leave it out; if the application uses the file as an HMAC secret, add --literal",
    );
  }
  const { alg = said.alg } = key;
  if (alg === undefined) return undefined;
  if (said.alg !== undefined && !isSameAlgorithm(said.alg, alg)) {
    throw unreadable(
      `the JWK is for ${alg}`,
      `Leave out --alg; if its tokens do say ${said.alg}, correct the member alg of the JWK`,
    );
  }
  const suited = key.algorithms.find((one) => one === (said.alg ?? alg));
  if (suited !== undefined) return suited;
  throw otherUse(key, said.alg);
}

function otherUse({ algorithms, alg }: PrivateKey, said: Algorithm | undefined): RekeyError {
  const own = algorithms.join(", ");
  if (said === undefined) {
    return unreadable(
      `its JWK says ${alg}, and it is a key for ${own}`,
      "Correct or remove the member alg of the JWK, and import it again",
    );
  }
  const instead = isHmac(said)
    ? "Leave out --alg; if the application uses the file as an HMAC secret, add --literal"
    : algorithms.length === 1
    ? `Leave out --alg: it signs with ${own} and nothing else`
    : `Name one of those with --alg, or leave it out for ${algorithms[0]}`;
  return unreadable(`it is a key for ${own}, not for ${said}`, instead);
}

/** Refuses what is said of a key pair when the input is an HMAC secret. @throws {RekeyError} `usage`. */
export function mustSuitHmac({ alg, kid }: StatedUsage): void {
  if (alg !== undefined && !isHmac(alg)) {
    throw unreadable(
      `it is no private key, which ${alg} needs`,
      "Give the key as PEM, DER or JWK, or the HMAC algorithm of the tokens with --alg",
    );
  }
  if (kid === undefined) return;
  throw usageError(
    "Cannot use --kid with an HMAC secret",
    "Leave it out: its tokens verify under every kid that the application gave them",
  );
}

function mustBeUsable(kid: string | undefined): string | undefined {
  // As if there were none (RFC 7515 §4.1.4 asks only for a string).
  if (kid === undefined || kid === "" || isUsableKid(kid)) return kid || undefined;
  throw unreadable(
    `its kid has control characters, or more than ${LONGEST_KID} characters`,
    "Name another one with --kid: tokens verify under the old one all the same",
  );
}

function otherAlgorithm(allowed: readonly Algorithm[]): RekeyError {
  const names = allowed.join(", ");
  return new RekeyError("alg_not_allowed", `Cannot import: the token's algorithm is not ${names}`, {
    hint: "It is another key; if the application uses this file as an HMAC secret, add --literal",
  });
}

function otherKid(named: string | undefined, used: string): RekeyError {
  const isNamed = named !== undefined && named !== used;
  return unreadable(
    `the token that it has signed has another kid than ${isNamed ? "the JWK" : "--kid"}`,
    isNamed ? "Name the kid of the token with --kid" : "Leave out --kid",
  );
}
