import { Buffer } from "node:buffer";
import { PAIR_ALGORITHMS, type PairAlgorithm } from "../../core/algorithms.ts";
import { KeyPair } from "../../core/key_pair.ts";
import { Secret } from "../../core/secret.ts";
import { layers, layerText, strictBase64 } from "./encodings.ts";
import { type DerKind, derKind, type FoundKey, isPublicDer, keyInDer } from "./key_der.ts";
import { unreadable } from "./imported.ts";
import { pairOf } from "./key_numbers.ts";
import { keyBlock, type PemBlock, privatePem } from "./pem.ts";
import { isOldEncryption, openOldPem, openPkcs8, type Passphrase } from "./pem_encryption.ts";
import { algorithmOfJwk, type GivenJwk, numbersOfJwk } from "./private_jwk.ts";

/** Forms of a private key in a file. */
export type KeyFormat = "pem" | "der" | "jwk";

/** A private key that was found in the input, checked. */
export interface PrivateKey {
  readonly secret: Secret;
  readonly format: KeyFormat;
  /** The algorithms that it can sign with; the usual one first. */
  readonly algorithms: readonly PairAlgorithm[];
  /** What its JWK says. */
  readonly alg?: PairAlgorithm | undefined;
  readonly kid?: string | undefined;
}

/**
 * The private key in a text: PEM or DER, as it is or {@linkcode layers encoded}, or a stored value of rekey's own.
 *
 * @returns `undefined` when the text is something else.
 * @throws {RekeyError} `usage` or `secret_weak` for a private key that cannot be imported.
 */
export function keyInText(text: string, passphrase: Passphrase): PrivateKey | undefined {
  const plain = text.trim();
  if (plain.startsWith(KeyPair.prefix)) {
    const own = ownDer(plain);
    return own && found(own, "der");
  }
  for (const bytes of layers(text)) {
    const pem = privatePem(layerText(bytes));
    if (pem !== undefined) return found(openBlock(keyBlock(pem), passphrase), "pem");
    const key = keyInBytes(bytes, passphrase);
    if (key !== undefined) return key;
  }
  return undefined;
}

// PKCS#8, SEC 1 and PKCS#1 begin with their version, encrypted PKCS#8 with an identifier of PKCS#5. Not even the length
// must be right: a key that was cut off is no HMAC secret.
const BEGINNING = /^30(..|81..|82....)(0201(00|01)(30|04|0282)|30(..|81..)06092a864886f70d0105)/;

// What rekey itself stores: as text it is no HMAC secret (`importedText`).
function ownDer(text: string): FoundKey | undefined {
  const der = strictBase64(text.slice(KeyPair.prefix.length));
  return der !== undefined && derKind(der) === "PKCS#8" ? keyInDer(der) : undefined;
}

/**
 * The private key in a binary file: DER of PKCS#8, SEC 1 or PKCS#1.
 *
 * @returns `undefined` when the bytes are something else, also a public key.
 * @throws {RekeyError} `usage` or `secret_weak` as for {@linkcode keyInText}, `usage` for PKCS#12.
 */
export function keyInBytes(bytes: Uint8Array, passphrase: Passphrase): PrivateKey | undefined {
  const kind = derKind(bytes);
  if (kind === "a PKCS#12 file") throw unreadable(`it is ${kind}`, PKCS12);
  if (isPublicDer(kind)) return undefined;
  const begins = BEGINNING.test(Buffer.from(bytes.subarray(0, 24)).toString("hex"));
  return kind !== undefined || begins ? found(opened(bytes, kind, passphrase), "der") : undefined;
}

const PKCS12 = "`openssl pkcs12 -nocerts -in FILE -out KEY.pem` takes the private key out of it";

function openBlock(block: PemBlock, passphrase: Passphrase): FoundKey {
  refuseLabel(block.label);
  if (isOldEncryption(block)) return keyInDer(openOldPem(block, passphrase));
  return opened(block.der, derKind(block.der), passphrase);
}

function opened(der: Uint8Array, kind: DerKind | undefined, passphrase: Passphrase): FoundKey {
  return keyInDer(kind === "encrypted" ? openPkcs8(der, passphrase) : der);
}

const SSH =
  "`ssh-keygen -p -m PKCS8 -f COPY` converts a copy of it (older ones leave Ed25519 as it is)";

function refuseLabel(label: string): void {
  if (/^(OPENSSH|SSH2 ENCRYPTED) /.test(label)) {
    throw unreadable("it is an SSH private key", SSH);
  }
  if (/^(ENCRYPTED |EC |RSA |)PRIVATE KEY$/.test(label)) return;
  throw unreadable("it is a private key of another kind", "Import PKCS#8, SEC 1 or PKCS#1");
}

/** The private key of a JWK. @throws {RekeyError} as {@linkcode keyInText} does. */
export function keyOfJwk(jwk: GivenJwk): PrivateKey {
  const alg = algorithmOfJwk(jwk);
  const { kid } = jwk;
  return {
    ...found({ numbers: numbersOfJwk(jwk) }, "jwk"),
    alg,
    kid: typeof kid === "string" ? kid : undefined,
  };
}

function found({ numbers, only }: FoundKey, format: KeyFormat): PrivateKey {
  const pair = pairOf(numbers);
  const algorithms = PAIR_ALGORITHMS.filter((alg) =>
    pair.suits(alg) && (only?.includes(alg) ?? true)
  );
  return { secret: Secret.imported(pair.text), format, algorithms };
}
