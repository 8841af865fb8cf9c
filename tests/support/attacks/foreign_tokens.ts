import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";

/** Any header; also one that no library would write. */
export type Header = Record<string, unknown>;

const HASHES: Record<string, string> = { HS256: "sha256", HS384: "sha384", HS512: "sha512" };

/** Seconds since the epoch. */
export const now = () => Math.floor(Date.now() / 1000);

/** A token as an application with its own secret writes it; any algorithm but HMAC's signs with HS256. */
export function signWith(key: string | Uint8Array, header: Header, claims: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode(header)}.${encode(claims)}`;
  const hash = HASHES[String(header.alg)] ?? "sha256";
  return `${signed}.${createHmac(hash, key).update(signed).digest("base64url")}`;
}
