import { Buffer } from "node:buffer";
import { createPrivateKey, type KeyObject } from "node:crypto";
import { keyOfSeed, SEED_BYTES } from "../../core/ed25519.ts";
import { RekeyError } from "../../core/errors.ts";
import { KeyPair, LEAST_RSA_BITS, MOST_RSA_BITS } from "../../core/key_pair.ts";
import { bytesOf, numberOf } from "./der.ts";
import { unreadable } from "./imported.ts";
import { inverse, isPrime, primesOf } from "./rsa_numbers.ts";

/** Curves of ECDSA in tokens (RFC 7518 §3.4). */
export type EcCurve = "P-256" | "P-384" | "P-521";

/** The numbers of an elliptic-curve key as the input has them (RFC 5915, RFC 7518 §6.2). */
export interface EcNumbers {
  readonly kty: "EC";
  readonly crv: EcCurve;
  readonly d: bigint;
  /** Coordinates of its public point, as far as the input has them. */
  readonly x?: bigint | undefined;
  readonly y?: bigint | undefined;
}

/** The seed of an Ed25519 key (RFC 8032 §5.1.5, RFC 8410 §7). */
export interface OkpNumbers {
  readonly kty: "OKP";
  readonly d: Uint8Array;
  /** Its public key, if the input has it. */
  readonly x?: Uint8Array | undefined;
}

/** The numbers of an RSA key (RFC 8017 §3.2). A JWK may have `d` alone (RFC 7518 §6.3.2). */
export interface RsaNumbers {
  readonly kty: "RSA";
  readonly n: bigint;
  readonly e: bigint;
  readonly d: bigint;
  readonly p?: bigint | undefined;
  readonly q?: bigint | undefined;
  readonly dp?: bigint | undefined;
  readonly dq?: bigint | undefined;
  readonly qi?: bigint | undefined;
}

/** A private key as the input has it: nothing of it is checked yet. */
export type KeyNumbers = EcNumbers | OkpNumbers | RsaNumbers;

/** Orders of the curves (SP 800-186 §3.2.1), and what comes before a private key of each in PKCS#8 (RFC 5958, RFC 5915). */
const CURVES: Readonly<Record<EcCurve, { bytes: number; order: bigint; before: string }>> = {
  "P-256": {
    bytes: 32,
    order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    before: "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420",
  },
  "P-384": {
    bytes: 48,
    order:
      0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
    before: "304e020100301006072a8648ce3d020106052b81040022043730350201010430",
  },
  "P-521": {
    bytes: 66,
    order:
      0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
    before: "3060020100301006072a8648ce3d020106052b81040023044930470201010442",
  },
};

/**
 * The key pair of numbers that came from outside. All are checked here, before the runtime is handed any of them: it is
 * given only what it can take, in one form.
 *
 * @throws {RekeyError} `usage` when they are not those of one key, `secret_weak` for an RSA key that is too weak.
 */
export function pairOf(numbers: KeyNumbers): KeyPair {
  if (numbers.kty === "EC") return ecPair(numbers);
  return numbers.kty === "OKP" ? ed25519Pair(numbers) : rsaPair(numbers);
}

function ecPair({ crv, d, x, y }: EcNumbers): KeyPair {
  const { bytes, order, before } = CURVES[crv];
  if (d < 1n || d >= order) throw damaged("its number is not one of its curve");
  const pair = pkcs8Pair(before, bytesOf(d, bytes));
  const own = [pair.publicJwk.x!, pair.publicJwk.y!].map((text) => Buffer.from(text, "base64url"));
  const differs = [x, y].some((given, at) => given !== undefined && given !== numberOf(own[at]!));
  if (differs) throw otherPublic();
  return pair;
}

function ed25519Pair({ d, x }: OkpNumbers): KeyPair {
  if (d.length !== SEED_BYTES) throw damaged(`it has ${d.length} bytes instead of ${SEED_BYTES}`);
  const pair = imported(() => keyOfSeed(d));
  const own = Buffer.from(pair.publicJwk.x!, "base64url");
  if (x !== undefined && !own.equals(x)) throw otherPublic();
  return pair;
}

function pkcs8Pair(before: string, secret: Uint8Array): KeyPair {
  const der = Buffer.concat([Buffer.from(before, "hex"), secret]);
  try {
    return imported(() => createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
  } finally {
    der.fill(0);
  }
}

// The runtime may know another reason why it is no key.
function imported(read: () => KeyObject): KeyPair {
  try {
    return KeyPair.of(read())!;
  } catch {
    throw damaged("it is no key");
  }
}

// FIPS 186-5 §A.1.1 has the least exponent; beyond four bytes many programs refuse it.
const [LEAST_E, MOST_E] = [65_537n, 2n ** 32n];

function rsaPair(given: RsaNumbers): KeyPair {
  const { n, e, d } = given;
  refuseSize(n, e);
  if (d < 1n || d >= n) throw damaged("its numbers do not fit together");
  const primes = given.p === undefined || given.q === undefined
    ? primesOf(n, e, d)
    : { p: given.p, q: given.q };
  if (primes === undefined) throw damaged("its numbers do not fit together");
  const { p, q } = primes;
  mustFit(given, p, q);
  const [dp, dq, qi] = [d % (p - 1n), d % (q - 1n), inverse(q, p)!];
  const key = Object.entries({ n, e, d, p, q, dp, dq, qi })
    .map(([name, number]) => [name, base64url(number)]);
  const jwk = { kty: "RSA", ...Object.fromEntries(key) };
  return imported(() => createPrivateKey({ key: jwk, format: "jwk" }));
}

function refuseSize(n: bigint, e: bigint): void {
  const bits = bitsIn(n);
  if (bits < LEAST_RSA_BITS) {
    throw weak(`it has ${bits} bits; ${LEAST_RSA_BITS} are the least (RFC 7518 §3.3)`);
  }
  if (bits > MOST_RSA_BITS) {
    throw unreadable(
      `its RSA key has ${bits} bits, and ${MOST_RSA_BITS} are the most`,
      "No keyring can be relied on to hold it; move to a new key with `rekey init --alg ES256`",
    );
  }
  if (e < LEAST_E || e % 2n === 0n) {
    throw weak("its public exponent is not an odd number from 65537 on (FIPS 186-5 §A.1.1)");
  }
  if (e >= MOST_E) {
    throw unreadable(
      "its RSA key has a public exponent of more than 32 bits",
      "Many programs refuse it",
    );
  }
}

// FIPS 186-5 §A.1.1 and §A.1.3; RFC 8017 §3.2.
function mustFit({ n, e, d, dp, dq, qi }: RsaNumbers, p: bigint, q: bigint): void {
  const bits = BigInt(bitsIn(n));
  const fits = p > 2n && q > 2n && p * q === n && e * d % (p - 1n) === 1n &&
    e * d % (q - 1n) === 1n &&
    (dp ?? d % (p - 1n)) === d % (p - 1n) && (dq ?? d % (q - 1n)) === d % (q - 1n) &&
    (qi === undefined || qi * q % p === 1n) && [p, q].every(isPrime);
  if (!fits) throw damaged("its numbers do not fit together");
  const apart = p > q ? p - q : q - p;
  if (apart < 1n << (bits / 2n - 100n)) throw weak("its two primes are too close to each other");
  if (d < 1n << (bits / 2n)) throw weak("its private exponent is too small");
}

function bitsIn(number: bigint): number {
  return number.toString(2).length;
}

function base64url(number: bigint): string {
  const digits = number.toString(16);
  return Buffer.from(bytesOf(number, Math.ceil(digits.length / 2))).toString("base64url");
}

/** The error for a private key that is no key. */
export function damaged(why: string): RekeyError {
  return unreadable(
    `it is a private key that is damaged: ${why}`,
    "Copy the whole file again; `openssl pkey -in FILE -check -noout` checks it",
  );
}

function otherPublic(): RekeyError {
  return unreadable(
    "its public half belongs to another private key",
    "Copy the whole file again from where the application has it",
  );
}

function weak(why: string): RekeyError {
  return new RekeyError("secret_weak", `Cannot import the RSA key, it is weak: ${why}`, {
    hint: "Its tokens can be forged: make another key with `rekey init --alg RS256`",
  });
}
