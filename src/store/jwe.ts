import { createDecipheriv } from "node:crypto";
import { decodeBase64url } from "../core/base64url.ts";
import { utf8 } from "../core/utf8.ts";

/** Protected header of a JWE that was opened. */
export type JweHeader = Record<string, unknown>;

/**
 * Opens a compact JWE of `A256GCMKW` and `A256GCM` (RFC 7516 §5.2, RFC 7518 §4.7 and §5.3), as jose makes it. jose
 * opens it too, by four calls of Web Crypto on other threads, which take a command longer than all else it does.
 *
 * @throws {Error} when the key is another, or anything in it was changed.
 */
export function openJwe(
  key: Uint8Array,
  jwe: string,
): { header: JweHeader; plaintext: Uint8Array } {
  const parts = jwe.split(".");
  if (parts.length !== 5) throw new Error("Not a compact JWE");
  const [encodedHeader, ...rest] = parts as [string, ...string[]];
  const [wrappedKey, iv, ciphertext, tag] = rest.map(decode) as [Bytes, Bytes, Bytes, Bytes];
  const header: JweHeader = JSON.parse(utf8(decode(encodedHeader)));
  if (header.alg !== "A256GCMKW" || header.enc !== "A256GCM") throw new Error("Other algorithms");
  // Parameters that would change what the bytes mean, and that nobody here has asked for.
  if ("crit" in header || "zip" in header) throw new Error("Extensions that are not understood");
  const contentKey = decrypt(key, decode(header.iv), wrappedKey, decode(header.tag));
  try {
    return { header, plaintext: decrypt(contentKey, iv, ciphertext, tag, encodedHeader) };
  } finally {
    contentKey.fill(0);
  }
}

type Bytes = Uint8Array;

function decrypt(
  key: Bytes,
  iv: Bytes,
  ciphertext: Bytes,
  tag: Bytes,
  aad = "",
): Bytes {
  if (iv.length !== 12 || tag.length !== 16) throw new Error("Not the sizes of AES-GCM");
  const decipher = createDecipheriv("aes-256-gcm", key, iv);
  decipher.setAAD(new TextEncoder().encode(aad));
  decipher.setAuthTag(tag);
  const plaintext = decipher.update(ciphertext);
  // GCM has no last block: this only checks the tag.
  decipher.final();
  return plaintext;
}

function decode(text: unknown): Bytes {
  const bytes = typeof text === "string" ? decodeBase64url(text) : undefined;
  if (bytes === undefined) throw new Error("Not base64url");
  return bytes;
}
