import type { PairAlgorithm } from "../../core/algorithms.ts";
import { type Der, integerOf, oidOf, TAG, valuesIn } from "./der.ts";
import { unreadable } from "./imported.ts";

const ALL = ["PS256", "PS384", "PS512"] as const;

/** Hashes by their identifiers (RFC 8017 appendix B.1), with the algorithm of each and its salt in bytes. */
const HASHES: Readonly<Record<string, { alg: PairAlgorithm; salt: bigint }>> = {
  "2.16.840.1.101.3.4.2.1": { alg: "PS256", salt: 32n },
  "2.16.840.1.101.3.4.2.2": { alg: "PS384", salt: 48n },
  "2.16.840.1.101.3.4.2.3": { alg: "PS512", salt: 64n },
};

/**
 * The algorithms that an RSA key allows which is for RSASSA-PSS only (RFC 4055 §3.1): all, or that of its parameters.
 *
 * @throws {RekeyError} `usage` when no algorithm of tokens has its parameters.
 */
export function pssAlgorithms(parameters: Der | undefined): readonly PairAlgorithm[] {
  if (parameters === undefined) return ALL;
  const values = valuesIn(parameters) ?? [];
  const [hash, mask, salt] = [0, 1, 2].map((number) =>
    valuesIn(values.find(({ tag }) => tag === TAG.zero + number), TAG.zero + number)?.[0]
  );
  const own = HASHES[oidOf(valuesIn(hash)?.[0]) ?? ""];
  const masks = HASHES[oidOf(valuesIn(valuesIn(mask)?.[1])?.[0]) ?? ""];
  // 20 bytes, unless it says otherwise, are the least.
  const least = salt === undefined ? 20n : integerOf(salt) ?? own?.salt ?? 0n;
  if (own !== undefined && masks === own && least <= own.salt) return [own.alg];
  throw unreadable(
    "it is an RSA key for PSS with parameters that no algorithm of tokens has",
    "PS256, PS384 and PS512 use one hash for all, and a salt of its length (RFC 7518 §3.5)",
  );
}
