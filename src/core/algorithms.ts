// Signature algorithms of tokens (RFC 7518 §3.1, RFC 9864), and which key each of them needs.

/** HMAC: whoever can verify can also sign (RFC 7518 §3.2). */
export const HMAC_ALGORITHMS = ["HS256", "HS384", "HS512"] as const;
export type HmacAlgorithm = (typeof HMAC_ALGORITHMS)[number];

/**
 * Signatures of a key pair: the public half verifies only. `EdDSA` is the older name of `Ed25519` (RFC 9864 §2.2), for
 * verifiers that know no other.
 */
export const PAIR_ALGORITHMS = [
  ...["ES256", "ES384", "ES512"] as const,
  ...["Ed25519", "EdDSA"] as const,
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const,
] as const;
export type PairAlgorithm = (typeof PAIR_ALGORITHMS)[number];

export const ALGORITHMS = [...HMAC_ALGORITHMS, ...PAIR_ALGORITHMS] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** Key type and curve (RFC 7518 §6, RFC 8037 §2). */
export type PairKind =
  | { readonly kty: "EC"; readonly crv: "P-256" | "P-384" | "P-521" }
  | { readonly kty: "OKP"; readonly crv: "Ed25519" }
  | { readonly kty: "RSA" };

/** How an algorithm of a key pair signs. */
export interface PairScheme {
  readonly kind: PairKind;
  /** What is hashed first; `null`: the algorithm hashes by itself. */
  readonly hash: "sha256" | "sha384" | "sha512" | null;
  /** Bytes of the salt of RSASSA-PSS: those of the hash (RFC 7518 §3.5). */
  readonly salt?: number;
}

const [P256, P384, P521] = (["P-256", "P-384", "P-521"] as const)
  .map((crv) => ({ kty: "EC", crv }) as const) as [PairKind, PairKind, PairKind];
const ED25519: PairKind = { kty: "OKP", crv: "Ed25519" };
const RSA: PairKind = { kty: "RSA" };

/** The scheme of each algorithm of a key pair. */
export const PAIR_SCHEMES: Readonly<Record<PairAlgorithm, PairScheme>> = {
  ES256: { kind: P256, hash: "sha256" },
  ES384: { kind: P384, hash: "sha384" },
  ES512: { kind: P521, hash: "sha512" },
  Ed25519: { kind: ED25519, hash: null },
  EdDSA: { kind: ED25519, hash: null },
  RS256: { kind: RSA, hash: "sha256" },
  RS384: { kind: RSA, hash: "sha384" },
  RS512: { kind: RSA, hash: "sha512" },
  PS256: { kind: RSA, hash: "sha256", salt: 32 },
  PS384: { kind: RSA, hash: "sha384", salt: 48 },
  PS512: { kind: RSA, hash: "sha512", salt: 64 },
};

/** Whether an algorithm uses a shared secret. */
export function isHmac(alg: Algorithm): alg is HmacAlgorithm {
  return (HMAC_ALGORITHMS as readonly string[]).includes(alg);
}

/** Whether an algorithm signs with an RSA key, whose size can be chosen. */
export function isRsa(alg: Algorithm): boolean {
  return !isHmac(alg) && PAIR_SCHEMES[alg].kind.kty === "RSA";
}

/** Bits of the RSA key of a version, whose `bytes` are those of its modulus; `null` for other algorithms. */
export function modulusBits(alg: Algorithm, bytes: number): number | null {
  return isRsa(alg) ? bytes * 8 : null;
}

/** What signs: `HS512, key form text`, `ES256, key pair`, `RS256, key pair of 2048 bits`. */
export function keyText(alg: Algorithm, keyForm: string, bits: number | null): string {
  if (isHmac(alg)) return `${alg}, key form ${keyForm}`;
  return `${alg}, key pair${bits === null ? "" : ` of ${bits} bits`}`;
}

/** Whether two names are of the same algorithm: `EdDSA` with an Ed25519 key is `Ed25519`. */
export function isSameAlgorithm(one: string, other: Algorithm): boolean {
  return one === other || (isEd25519(one) && isEd25519(other));
}

function isEd25519(name: string): boolean {
  return name === "Ed25519" || name === "EdDSA";
}
