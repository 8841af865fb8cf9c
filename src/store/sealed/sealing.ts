import { createDecipheriv } from "node:crypto";
import { Buffer } from "node:buffer";
import { isRekeyError, RekeyError } from "../../core/errors.ts";
import type { Kek } from "./kek.ts";
import { decodeBase64url, utf8 } from "../../core/encoding.ts";
import { sameText } from "../../core/secret.ts";

/** Protected header of an opened JWE. */
type JweHeader = Record<string, unknown>;

/**
 * Opens a compact JWE of `A256GCMKW` and `A256GCM` (RFC 7516 §5.2, RFC 7518 §4.7 and §5.3), as jose makes it. Not by
 * jose itself: its four Web Crypto calls would take longer than the rest of a command.
 *
 * @throws {Error} when the key is wrong, or any part was changed.
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
  // These parameters would change the meaning of the bytes, and rekey never sets them.
  if ("crit" in header || "zip" in header) throw new Error("Extensions that are not understood");
  const contentKey = decrypt(key, decode(header.iv), wrappedKey, decode(header.tag));
  try {
    return { header, plaintext: decrypt(contentKey, iv, ciphertext, tag, encodedHeader) };
  } finally {
    contentKey.fill(0);
  }
}

type Bytes = Uint8Array;

function decrypt(key: Bytes, iv: Bytes, ciphertext: Bytes, tag: Bytes, aad = ""): Bytes {
  if (iv.length !== 12 || tag.length !== 16) throw new Error("Not the sizes of AES-GCM");
  const decipher = createDecipheriv("aes-256-gcm", key, iv);
  decipher.setAAD(new TextEncoder().encode(aad));
  decipher.setAuthTag(tag);
  const plaintext = decipher.update(ciphertext);
  // Checks the tag; GCM has no final block.
  decipher.final();
  return plaintext;
}

function decode(text: unknown): Bytes {
  const bytes = typeof text === "string" ? decodeBase64url(text) : undefined;
  if (bytes === undefined) throw new Error("Not base64url");
  return bytes;
}

const KEY_MANAGEMENT = "A256GCMKW";
const ENCRYPTION = "A256GCM";

/** What a sealed value is for. A value opens only under the binding that it was sealed with. */
export interface Binding {
  readonly app: string;
  /** `secret` is a version's value. */
  readonly use: "secret" | "audit" | "fleet";
  readonly version?: number;
  /** kid of the version. */
  readonly secret_kid?: string;
}

/**
 * Seals a value under the KEK as a compact JWE (RFC 7516, `A256GCMKW` and `A256GCM`). The protected header names the
 * KEK (`kid`) and the binding (`rekey`), so neither can be exchanged. The result was opened again and compared, so the
 * caller may delete the value elsewhere.
 *
 * @throws {RekeyError} `failed` when the sealed value does not open to the same value.
 */
export async function seal(kek: Kek, binding: Binding, value: string): Promise<string> {
  const { CompactEncrypt } = await import("jose");
  const header = { alg: KEY_MANAGEMENT, enc: ENCRYPTION, kid: kek.id, rekey: binding };
  const jwe = new CompactEncrypt(Buffer.from(value)).setProtectedHeader(header);
  const key = kek.key.export();
  try {
    const sealed = await jwe.encrypt(key);
    if (opensAs(kek, binding, sealed, value)) return sealed;
    throw new RekeyError("failed", "Cannot seal the value: it does not open to the same value", {
      hint: "Nothing was changed. This is a bug in rekey: please report it",
    });
  } finally {
    key.fill(0);
  }
}

function opensAs(kek: Kek, binding: Binding, sealed: string, value: string): boolean {
  try {
    return sameText(value, unseal(kek, binding, sealed));
  } catch (error) {
    if (isRekeyError(error)) return false;
    throw error;
  }
}

/**
 * Opens a sealed value.
 *
 * @throws {RekeyError} `kek_wrong` when another KEK sealed it, `secret_damaged` when it was changed or has another
 * binding.
 */
export function unseal(kek: Kek, binding: Binding, sealed: string): string {
  const { plaintext, header } = open(kek, sealed);
  if (!sameBinding(header.rekey, binding)) throw damaged("it is another value");
  try {
    return utf8(plaintext);
  } catch (cause) {
    throw damaged("it is not UTF-8", cause);
  } finally {
    plaintext.fill(0);
  }
}

function open(kek: Kek, sealed: string) {
  const sealedBy = sealingKek(sealed);
  if (sealedBy !== undefined && sealedBy !== kek.id) {
    throw new RekeyError(
      "kek_wrong",
      `Cannot open the sealed value: KEK ${sealedBy} sealed it, ${kek.source} gives KEK ${kek.id}`,
      { hint: "Provide the KEK that it was sealed under" },
    );
  }
  const key = kek.key.export();
  try {
    return openJwe(key, sealed);
  } catch (cause) {
    throw damaged("it was changed or is incomplete", cause);
  } finally {
    key.fill(0);
  }
}

/** The KEK that a sealed value's header names, not authenticated; `undefined` when the header is unreadable. */
export function sealingKek(sealed: string): string | undefined {
  try {
    const header = JSON.parse(utf8(decodeBase64url(sealed.split(".")[0]!)!));
    return typeof header?.kid === "string" ? header.kid : undefined;
  } catch {
    return undefined;
  }
}

// Compares field by field, since the order of JSON members has no meaning.
function sameBinding(found: unknown, wanted: Binding): boolean {
  if (typeof found !== "object" || found === null) return false;
  const other = found as Record<string, unknown>;
  const names = new Set([...Object.keys(wanted), ...Object.keys(other)]);
  return [...names].every((name) => other[name] === wanted[name as keyof Binding]);
}

function damaged(why: string, cause?: unknown): RekeyError {
  return new RekeyError("secret_damaged", `Cannot open the sealed value in the database: ${why}`, {
    hint: "Restore the database from a backup, or make a new secret with `rekey rotate --force`",
    cause,
  });
}
