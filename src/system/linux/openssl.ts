import type { PairScheme } from "../../core/algorithms.ts";
import type { SignatureCheck, SignatureChecks } from "../../jwt/pair_signatures.ts";
import { zeroTerminated } from "../unix/libc.ts";

// OpenSSL 3. A server verifies with it where it is installed: the runtime's own code for ECDSA takes eight times as long.
const LIBRARY = "libcrypto.so.3";

const CALLS = {
  OPENSSL_init_crypto: { parameters: ["u64", "pointer"], result: "i32" },
  d2i_PUBKEY: { parameters: ["pointer", "buffer", "i64"], result: "pointer" },
  EVP_PKEY_free: { parameters: ["pointer"], result: "void" },
  EVP_MD_CTX_new: { parameters: [], result: "pointer" },
  EVP_MD_CTX_free: { parameters: ["pointer"], result: "void" },
  EVP_MD_CTX_copy_ex: { parameters: ["pointer", "pointer"], result: "i32" },
  EVP_get_digestbyname: { parameters: ["buffer"], result: "pointer" },
  EVP_DigestVerifyInit: {
    parameters: ["pointer", "buffer", "pointer", "pointer", "pointer"],
    result: "i32",
  },
  EVP_PKEY_CTX_set_rsa_padding: { parameters: ["pointer", "i32"], result: "i32" },
  EVP_PKEY_CTX_set_rsa_pss_saltlen: { parameters: ["pointer", "i32"], result: "i32" },
  EVP_DigestVerify: {
    parameters: ["pointer", "buffer", "usize", "buffer", "usize"],
    result: "i32",
  },
  ERR_clear_error: { parameters: [], result: "void" },
} as const;

type OpenSsl = Deno.DynamicLibrary<typeof CALLS>["symbols"];

// <openssl/crypto.h>: its configuration could load other code, and the process ends while threads verify.
const [NO_LOAD_CONFIG, NO_ATEXIT] = [0x80n, 0x80000n];
// <openssl/rsa.h>
const RSA_PKCS1_PSS_PADDING = 6;

// A key's part of OpenSSL's memory goes with the key.
const UNUSED = new FinalizationRegistry((release: () => void) => release());

/** Checks of signatures by OpenSSL; `undefined` where it is not installed. */
export function openSsl(): SignatureChecks | undefined {
  try {
    const { symbols } = Deno.dlopen(LIBRARY, CALLS);
    if (symbols.OPENSSL_init_crypto(NO_LOAD_CONFIG | NO_ATEXIT, null) !== 1) return undefined;
    return (spki, scheme) => checkOf(symbols, spki, scheme);
  } catch {
    // Not installed, or of another version: the runtime verifies.
    return undefined;
  }
}

/** What OpenSSL holds for one key. */
interface Held {
  readonly key: Deno.PointerValue;
  /** A digest that has been begun with the key, and is copied for each signature. */
  readonly begun: Deno.PointerValue;
  readonly used: Deno.PointerValue;
}

/** @returns `undefined` when OpenSSL does not take the key, or the scheme is not faster with it. */
function checkOf(
  openssl: OpenSsl,
  spki: Uint8Array<ArrayBuffer>,
  scheme: PairScheme,
): SignatureCheck | undefined {
  // The runtime's Ed25519 is the faster one.
  if (scheme.hash === null) return undefined;
  const key = openssl.d2i_PUBKEY(null, addressOf(spki), BigInt(spki.length));
  if (key === null) return undefined;
  const held: Held = { key, begun: openssl.EVP_MD_CTX_new(), used: openssl.EVP_MD_CTX_new() };
  if (!begin(openssl, held, scheme)) {
    free(openssl, held);
    return undefined;
  }
  const check: SignatureCheck = (text, signature) => {
    const given = scheme.kind.kty === "EC" ? derOf(signature) : signature;
    if (openssl.EVP_MD_CTX_copy_ex(held.used, held.begun) !== 1) throw new Error("No memory");
    const lengths = [BigInt(given.length), BigInt(text.length)] as const;
    const result = openssl.EVP_DigestVerify(held.used, given, lengths[0], text, lengths[1]);
    if (result !== 1) openssl.ERR_clear_error();
    return result === 1;
  };
  UNUSED.register(check, () => free(openssl, held));
  return check;
}

function begin(openssl: OpenSsl, { key, begun, used }: Held, { hash, salt }: PairScheme): boolean {
  const digest = hash === null ? null : openssl.EVP_get_digestbyname(zeroTerminated(hash));
  if (begun === null || used === null || digest === null) return false;
  const context = new BigUint64Array(1);
  const bytes = new Uint8Array(context.buffer);
  if (openssl.EVP_DigestVerifyInit(begun, bytes, digest, null, key) !== 1) return false;
  if (salt === undefined) return true;
  const options = Deno.UnsafePointer.create(context[0]!);
  return openssl.EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) === 1 &&
    openssl.EVP_PKEY_CTX_set_rsa_pss_saltlen(options, salt) === 1;
}

function free(openssl: OpenSsl, { key, begun, used }: Held): void {
  for (const context of [begun, used]) openssl.EVP_MD_CTX_free(context);
  openssl.EVP_PKEY_free(key);
}

/** A pointer to bytes, in memory: the call moves it past what it has read. */
function addressOf(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
  return new Uint8Array(new BigUint64Array([BigInt(address)]).buffer);
}

// Two numbers of DER of at most 67 bytes each, and what is around them.
const DER = new Uint8Array(160);

/**
 * An ECDSA signature as OpenSSL wants it: R and S as ASN.1 (RFC 3279 §2.2.3), here of fixed lengths side by side.
 *
 * @returns memory that the next call overwrites.
 */
function derOf(signature: Uint8Array): Uint8Array<ArrayBuffer> {
  const half = signature.length / 2;
  const numbers = [signature.subarray(0, half), signature.subarray(half)].map(significant);
  const content = numbers.reduce((sum, number) => sum + 2 + lengthOf(number), 0);
  let at = 0;
  DER[at++] = 0x30;
  if (content > 127) DER[at++] = 0x81;
  DER[at++] = content;
  for (const number of numbers) {
    DER[at++] = 0x02;
    DER[at++] = lengthOf(number);
    if (isNegative(number)) DER[at++] = 0;
    DER.set(number, at);
    at += number.length;
  }
  return DER.subarray(0, at);
}

// Without leading zeros, of which zero itself keeps one.
function significant(number: Uint8Array): Uint8Array {
  let zeros = 0;
  while (zeros < number.length - 1 && number[zeros] === 0) zeros++;
  return number.subarray(zeros);
}

const isNegative = (number: Uint8Array) => number[0]! > 127;
const lengthOf = (number: Uint8Array) => number.length + (isNegative(number) ? 1 : 0);
