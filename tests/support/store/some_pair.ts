import { generateKeyPairSync } from "node:crypto";
import { PAIR_SCHEMES, type PairAlgorithm } from "../../../src/core/algorithms.ts";
import { KeyPair } from "../../../src/core/key_pair.ts";
import { Secret } from "../../../src/core/secret.ts";

/** A new key pair for an algorithm, at once; of RSA with 2048 bits. */
export function somePair(alg: PairAlgorithm): Secret {
  const { kind } = PAIR_SCHEMES[alg];
  const { privateKey } = kind.kty === "RSA"
    ? generateKeyPairSync("rsa", { modulusLength: 2048 })
    : kind.kty === "OKP"
    ? generateKeyPairSync("ed25519")
    : generateKeyPairSync("ec", { namedCurve: kind.crv });
  return Secret.parse(KeyPair.of(privateKey)!.text);
}
