import { Buffer } from "node:buffer";
import { isSameAlgorithm } from "../../core/algorithms.ts";
import { RekeyError } from "../../core/errors.ts";
import { KeyPair } from "../../core/key_pair.ts";
import { type KeyForm, Secret } from "../../core/secret.ts";
import type { Installation } from "../../store/installation.ts";
import { keepCopy } from "../automatic_copy.ts";
import type { Version } from "../../store/sqlite/versions.ts";
import type { Backend, HmacUsage } from "../backend.ts";
import type { CreateOptions } from "../create.ts";
import { changeSecret } from "../rotate.ts";
import { kidInTokens } from "../token_kid.ts";
import { withoutPadding } from "./plain_text.ts";

/** A secret to import. */
export interface Import {
  readonly secret: Secret;
  /** Its origin, for the audit log. */
  readonly reason: string;
  /** kid that the tokens of a key pair have, if it is not its thumbprint. */
  readonly tokenKid?: string | undefined;
}

/** Encodings of a hard-coded secret in a text. */
export const ENCODINGS = ["text", "base64", "base64url", "hex"] as const;
/** `bytes`: the file's bytes are the key. */
export type Encoding = (typeof ENCODINGS)[number] | "bytes";

/** Bytes of the longest value: a PEM file of the largest RSA key, which some applications use as a text, has 3,300. */
export const LONGEST = 4_096;

/**
 * Reads a hard-coded secret. As `text` its own bytes are the HMAC key; the other encodings say that the
 * application decodes it first, so the bytes are kept as base64 and the key form is `raw`. For `bytes` the text is
 * their base64.
 *
 * @throws {RekeyError} `usage` when it is empty, too long, or not in that encoding. The value is not quoted.
 */
export function importedText(
  text: string,
  encoding: Encoding,
): { secret: Secret; keyForm: KeyForm } {
  if (text === "") throw unreadable("it is empty", "Is the variable set, the file filled?");
  if (encoding === "text") return { secret: Secret.imported(checked(text)), keyForm: "text" };
  const bytes = decodeBytes(text, encoding === "bytes" ? "base64" : encoding);
  if (bytes === undefined) {
    throw unreadable(
      `it is not ${encoding}`,
      "Say with --encoding what the application does with it",
    );
  }
  return { secret: Secret.imported(checked(bytes.toString("base64"))), keyForm: "raw" };
}

/**
 * Lenient base64, as many decoders read it: both alphabets, other characters ignored. Only for a value that a token
 * confirms; `undefined` when nothing is left.
 */
export function forgivingBase64(text: string): string | undefined {
  const plain = text.replaceAll("-", "+").replaceAll("_", "/").replace(/[^A-Za-z0-9+/]/g, "");
  const bytes = Buffer.from(plain.length % 4 === 1 ? plain.slice(0, -1) : plain, "base64");
  return bytes.length === 0 ? undefined : bytes.toString("base64");
}

/** @throws {RekeyError} `usage` for bytes that are no UTF-8. */
export function decodeText(data: Uint8Array): string {
  if (/^(fffe|feff)/.test(Buffer.from(data.subarray(0, 2)).toString("hex"))) {
    throw unreadable(
      "it is UTF-16",
      "Save it as UTF-8; PowerShell's > and some editors write UTF-16",
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw unreadable("it is no text", "If its bytes are the key as they are, say --encoding bytes");
  }
}

// Tools break long lines. The value must encode to the same text again.
function decodeBytes(
  text: string,
  encoding: Exclude<Encoding, "text" | "bytes">,
): Buffer | undefined {
  const plain = withoutPadding(text.replace(/\s/g, ""));
  const pattern = { base64: /^[A-Za-z0-9+/]+$/, base64url: /^[\w-]+$/, hex: /^[0-9a-fA-F]+$/ };
  if (!pattern[encoding].test(plain)) return undefined;
  if (encoding === "hex" ? plain.length % 2 === 1 : plain.length % 4 === 1) return undefined;
  const bytes = Buffer.from(plain, encoding);
  const again = withoutPadding(bytes.toString(encoding));
  return again === (encoding === "hex" ? plain.toLowerCase() : plain) ? bytes : undefined;
}

// A stored value says by its beginning that it is a key pair: an HMAC secret that begins so could not be told from one.
const LIKE_A_PAIR = [
  `it begins with ${KeyPair.prefix}, as the key pairs do that rekey stores`,
  "Such a text cannot be an HMAC secret here: give the application another secret first",
] as const;

function checked(text: string): string {
  if (text.includes("\0")) throw unreadable("it has a NUL character", "No program can be given it");
  if (text.startsWith(KeyPair.prefix)) throw unreadable(...LIKE_A_PAIR);
  if (Buffer.byteLength(text) <= LONGEST) return text;
  throw unreadable(
    `it is longer than ${LONGEST} bytes`,
    "Give the secret alone, or name it with --name",
  );
}

/** The error for a value that cannot be imported; neither part may quote the value. */
export function unreadable(why: string, hint: string): RekeyError {
  return new RekeyError("usage", `Cannot import the value: ${why}`, { hint });
}

/**
 * Whether an imported secret may replace the current one: only if that one was never used. A shared secret counts as
 * used.
 */
export function mayGiveWay(installation: Installation, backend: Backend, kid: string): boolean {
  return (installation.versions.byKid(kid)?.activated_at ?? null) === null &&
    !backend.wasUsed(installation);
}

/**
 * Replaces an unused secret by an imported one. Call it under the lock, after recovery.
 *
 * @returns false when the current secret was used.
 */
export async function replaceUnused(
  installation: Installation,
  backend: Backend,
  given: Import,
  { store, alg, keyForm }: CreateOptions,
): Promise<boolean> {
  // Read under the lock: it may have been used meanwhile.
  const old = installation.versions.current();
  if (old === undefined || !mayGiveWay(installation, backend, given.secret.kid)) return false;
  const location = await backend.nextLocation(installation, store, given.secret.reveal().length);
  await keepCopy(installation, old);
  const how = { imported: given.secret, tokenKid: given.tokenKid, use: { alg, keyForm } };
  await changeSecret(installation, { old, location, reason: given.reason, graceMs: 0, ...how });
  return true;
}

/**
 * The version that has the imported secret.
 *
 * @throws {RekeyError} `already_initialised` when the current secret is another one, `failed` when the secret exists
 * with another algorithm, key form or kid.
 */
export function settleImport(
  installation: Installation,
  current: Version,
  { secret, tokenKid }: Import,
  { alg, keyForm = "pkcs8" }: HmacUsage,
): Version {
  const { versions } = installation;
  const version = versions.byKid(secret.kid);
  if (version === undefined || version.activated_at === null) throw anotherIsThere(current);
  const { alg: algorithm, key_form: form } = version;
  const sameKid = tokenKid === undefined || tokenKid === kidInTokens(version);
  if (alg !== undefined && isSameAlgorithm(alg, algorithm) && form === keyForm && sameKid) {
    return version;
  }
  if (form === "pkcs8") throw keyIsThere(version);
  throw new RekeyError(
    "failed",
    `Cannot import the secret again: it is there as ${algorithm}, key form ${form}`,
    { hint: `${asBefore(version, keyForm)}; ${otherUse(version, current)}` },
  );
}

function anotherIsThere(current: Version): RekeyError {
  return new RekeyError(
    "already_initialised",
    `Cannot import a secret: there is one already, version ${current.version} (kid ${current.kid})`,
    {
      hint: current.location === "etcd"
        ? "Machines share it: import into another app with --app"
        : `${
          current.origin === "adopted" ? "It is an application's" : "It was used"
        }, and its tokens would end: import into another app with --app, ` +
          "or `rekey destroy` this one first",
    },
  );
}

// The flags with which the import is safe to repeat.
function asBefore({ alg, key_form }: Version, keyForm: KeyForm): string {
  const same = key_form === keyForm ? "" : " and the --encoding of then";
  return `It was imported before: repeat that with --alg ${alg}${same}`;
}

function otherUse({ version, state }: Version, { version: current }: Version): string {
  return state === "current"
    ? "`rekey init --alg --key-form` changes how it is used"
    : `how it is used stays, since version ${current} has replaced version ${version}`;
}

function keyIsThere(version: Version): RekeyError {
  return new RekeyError(
    "failed",
    `Cannot import the key again: it is there for ${version.alg}, kid ${kidInTokens(version)}`,
    { hint: "Leave out --alg and --kid, or `rekey destroy` it first and import it again" },
  );
}
