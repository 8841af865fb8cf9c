import { createHmac, timingSafeEqual } from "node:crypto";
import { decodeBase64url } from "../core/base64url.ts";
import type { Algorithm } from "../store/installation.ts";

const HASHES: Record<Algorithm, string> = { HS256: "sha256", HS384: "sha384", HS512: "sha512" };

/**
 * Whether the signature of a compact JWS is the HMAC of what stands before it (RFC 7515 §5.2, RFC 7518 §3.2),
 * compared in constant time. The token's form and its algorithm are to be checked before: see `jws.ts`.
 *
 * Web Crypto, and jose over it, hands each call to another thread and takes ten times as long.
 *
 * @param token in canonical base64url, with three parts.
 */
export function isSignedWith(key: Uint8Array, algorithm: Algorithm, token: string): boolean {
  const end = token.lastIndexOf(".");
  const signature = decodeBase64url(token.slice(end + 1));
  const expected = createHmac(HASHES[algorithm], key).update(token.slice(0, end)).digest();
  return signature?.length === expected.length && timingSafeEqual(signature, expected);
}
