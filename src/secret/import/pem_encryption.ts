import { Buffer } from "node:buffer";
import { createDecipheriv, createHash, pbkdf2Sync, scryptSync } from "node:crypto";
import { joinPieces } from "../../core/encoding.ts";
import type { RekeyError } from "../../core/errors.ts";
import { type Der, integerOf, octetsOf, oidOf, sequenceIn, valuesIn } from "./der.ts";
import { unreadable } from "./imported.ts";
import { damaged } from "./key_numbers.ts";
import type { PemBlock } from "./pem.ts";

/** Gives the passphrase of an encrypted key. */
export type Passphrase = () => string;

/** A cipher in CBC mode, with the lengths of its key and its blocks in bytes. */
interface Cipher {
  readonly name: string;
  readonly key: number;
  readonly block: number;
}

const AES_128: Cipher = { name: "aes-128-cbc", key: 16, block: 16 };
const AES_256: Cipher = { name: "aes-256-cbc", key: 32, block: 16 };
const TRIPLE_DES: Cipher = { name: "des-ede3-cbc", key: 24, block: 8 };

/** By their identifiers in PKCS#5 (RFC 8018 appendix B.2, RFC 3565 §4.1). */
const CIPHERS: Readonly<Record<string, Cipher>> = {
  "2.16.840.1.101.3.4.1.2": AES_128,
  "2.16.840.1.101.3.4.1.42": AES_256,
  "1.2.840.113549.3.7": TRIPLE_DES,
};

/** By their names in the header `DEK-Info`. */
const OLD_CIPHERS: Readonly<Record<string, Cipher>> = {
  "AES-128-CBC": AES_128,
  "AES-256-CBC": AES_256,
  "DES-EDE3-CBC": TRIPLE_DES,
};

/** Hashes of PBKDF2 by the identifiers of their HMACs (RFC 8018 appendix B.1). */
const HMACS: Readonly<Record<string, string>> = {
  "1.2.840.113549.2.7": "sha1",
  "1.2.840.113549.2.8": "sha224",
  "1.2.840.113549.2.9": "sha256",
  "1.2.840.113549.2.10": "sha384",
  "1.2.840.113549.2.11": "sha512",
};

// What a file may demand of this machine: some three seconds, 512 MiB.
const MOST_ITERATIONS = 5_000_000n;
const MOST_SCRYPT_BYTES = 2n ** 29n;

/** Whether a block of PEM is encrypted as OpenSSL did before PKCS#8 (RFC 1421 §4.6.1.1). */
export function isOldEncryption({ headers }: PemBlock): boolean {
  return headers["proc-type"] !== undefined || headers["dek-info"] !== undefined;
}

/**
 * Decrypts a block of PEM with `Proc-Type: 4,ENCRYPTED`: its key is one round of MD5 over passphrase and salt.
 *
 * @throws {RekeyError} `usage` for another cipher, or when the passphrase does not open it.
 */
export function openOldPem({ headers, der }: PemBlock, passphrase: Passphrase): Uint8Array {
  const [name = "", hex = ""] = (headers["dek-info"] ?? "").split(",").map((part) => part.trim());
  const cipher = OLD_CIPHERS[name.toUpperCase()];
  if (cipher === undefined) throw otherEncryption();
  const iv = Buffer.from(hex, "hex");
  if (iv.length !== cipher.block) throw damaged("its header DEK-Info is cut off");
  return decrypted(cipher, oldKey(passphrase(), iv.subarray(0, 8), cipher.key), iv, der);
}

const MD5_BYTES = 16;

// EVP_BytesToKey of OpenSSL.
function oldKey(passphrase: string, salt: Uint8Array, length: number): Uint8Array {
  const rounds: Uint8Array[] = [];
  while (rounds.length * MD5_BYTES < length) {
    const last = rounds.at(-1) ?? new Uint8Array();
    rounds.push(createHash("md5").update(last).update(passphrase).update(salt).digest());
  }
  return joinPieces(rounds).subarray(0, length);
}

/**
 * Decrypts PKCS#8 that is encrypted by PBES2 (RFC 5958 §3, RFC 8018 §6.2, RFC 7914 §7).
 *
 * @throws {RekeyError} `usage` for another encryption, or when the passphrase does not open it.
 */
export function openPkcs8(bytes: Uint8Array, passphrase: Passphrase): Uint8Array {
  const [algorithm, data] = sequenceIn(bytes) ?? [];
  const [scheme, parameters] = valuesIn(algorithm) ?? [];
  if (oidOf(scheme) !== "1.2.840.113549.1.5.13") throw otherEncryption();
  const [derivation, encryption] = (valuesIn(parameters) ?? []).map((value) => valuesIn(value));
  const cipher = CIPHERS[oidOf(encryption?.[0]) ?? ""];
  if (cipher === undefined) throw otherEncryption();
  const iv = octetsOf(encryption?.[1]);
  const sealed = octetsOf(data);
  if (iv?.length !== cipher.block || sealed === undefined) throw damaged("its DER is changed");
  const derive = derivationOf(derivation ?? []);
  return decrypted(cipher, derive(passphrase(), cipher.key), iv, sealed);
}

type Derive = (passphrase: string, length: number) => Uint8Array;

function derivationOf([name, parameters]: Der[]): Derive {
  const values = valuesIn(parameters) ?? [];
  const salt = octetsOf(values[0]);
  const oid = oidOf(name);
  if (salt === undefined) throw otherEncryption();
  if (oid === "1.2.840.113549.1.5.12") return pbkdf2Of(salt, values.slice(1));
  if (oid === "1.3.6.1.4.1.11591.4.11") return scryptOf(salt, values.slice(1));
  throw otherEncryption();
}

function pbkdf2Of(salt: Uint8Array, [rounds, ...more]: Der[]): Derive {
  const count = integerOf(rounds) ?? 0n;
  const prf = more.map((value) => valuesIn(value)).find((value) => value !== undefined);
  const hash = prf === undefined ? "sha1" : HMACS[oidOf(prf[0]) ?? ""];
  if (hash === undefined) throw otherEncryption();
  if (count < 1n) throw damaged("its PBKDF2 iterations are impossible");
  if (count > MOST_ITERATIONS) throw tooCostly();
  return (passphrase, length) => pbkdf2Sync(passphrase, salt, Number(count), length, hash);
}

function scryptOf(salt: Uint8Array, values: Der[]): Derive {
  const [N = 0n, r = 0n, p = 0n] = values.map(integerOf);
  const isPower = N > 1n && (N & (N - 1n)) === 0n;
  if (!isPower || r < 1n || p < 1n) throw damaged("its scrypt parameters are impossible");
  if (128n * N * r > MOST_SCRYPT_BYTES || p > 16n) throw tooCostly();
  const costs = { N: Number(N), r: Number(r), p: Number(p), maxmem: 2 * Number(MOST_SCRYPT_BYTES) };
  return (passphrase, length) => scryptSync(passphrase, salt, length, costs);
}

function decrypted(
  { name, block }: Cipher,
  key: Uint8Array,
  iv: Uint8Array,
  sealed: Uint8Array,
): Uint8Array {
  if (sealed.length === 0 || sealed.length % block !== 0) throw damaged("its DER is cut off");
  try {
    const decipher = createDecipheriv(name, key, iv);
    const plain = Buffer.concat([decipher.update(sealed), decipher.final()]);
    // One wrong passphrase in 256 leaves an end that could be right.
    if (sequenceIn(plain) !== undefined) return plain;
  } catch {
    // As below.
  } finally {
    key.fill(0);
  }
  throw unreadable(
    "the passphrase does not open its private key",
    "Check the file of --passphrase-file, and which key it belongs to",
  );
}

function otherEncryption(): RekeyError {
  return unreadable(
    "its private key is encrypted in a way that is not supported here",
    "`openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD.pem -out NEW.pem` encrypts it in the usual way",
  );
}

function tooCostly(): RekeyError {
  return unreadable(
    "opening its private key would take too much time or memory",
    "`openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD.pem -out NEW.pem` encrypts it in the usual way",
  );
}
