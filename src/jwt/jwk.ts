import type { Algorithm } from "../core/algorithms.ts";

/** A key for signatures (RFC 7517 §4): the public half, or a whole key. */
export type Jwk =
  & Readonly<Record<string, string>>
  & { readonly kty: string; readonly kid: string; readonly alg: Algorithm; readonly use: "sig" };

/**
 * Writes a key as verifiers and signers read it.
 *
 * @param kid what its tokens carry.
 * @param members what is in it of the key itself (RFC 7518 §6, RFC 8037 §2), `kty` among them.
 */
export function signatureJwk(
  kid: string,
  alg: Algorithm,
  { kty, ...members }: Readonly<Record<string, string>> & { readonly kty: string },
): Jwk {
  return { kty, kid, alg, use: "sig", ...members };
}
