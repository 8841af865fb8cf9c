import type { PairAlgorithm } from "../../core/algorithms.ts";
import {
  bitsOf,
  type Der,
  derValues,
  integerOf,
  numberOf,
  octetsOf,
  oidOf,
  sequenceIn,
  TAG,
  valuesIn,
} from "./der.ts";
import { unreadable } from "./imported.ts";
import { damaged, type EcCurve, type EcNumbers, type KeyNumbers } from "./key_numbers.ts";
import { pssAlgorithms } from "./pss_parameters.ts";

/** A private key, and for which algorithms alone it says that it is. */
export interface FoundKey {
  readonly numbers: KeyNumbers;
  readonly only?: readonly PairAlgorithm[] | undefined;
}

/** What DER is that has to do with keys. */
export type DerKind =
  | "PKCS#8"
  | "SEC 1"
  | "PKCS#1"
  | "encrypted"
  | "a PKCS#12 file"
  | PublicDer;

const PUBLIC_DER = ["a certificate", "a certificate request", "a public key"] as const;

/** DER that has only a public key, for messages. */
export type PublicDer = (typeof PUBLIC_DER)[number];

/** Whether it is DER that has only a public key. */
export function isPublicDer(kind: DerKind | undefined): kind is PublicDer {
  return PUBLIC_DER.some((one) => one === kind);
}

/** What bytes are, by the types of their first values; `undefined` if nothing that has to do with keys. */
export function derKind(bytes: Uint8Array): DerKind | undefined {
  const values = sequenceIn(bytes);
  if (values === undefined) return undefined;
  const [first, second, third] = values;
  const tags = values.map(({ tag }) => tag);
  if (first?.tag === TAG.integer) {
    if (second?.tag === TAG.octets) return "SEC 1";
    if (second?.tag === TAG.integer) return values.length > 2 ? "PKCS#1" : "a public key";
    if (second?.tag !== TAG.sequence) return undefined;
    return third?.tag === TAG.octets ? "PKCS#8" : "a PKCS#12 file";
  }
  const named = oidOf(valuesIn(first)?.[0]) !== undefined;
  if (named && tags.length === 2 && second?.tag === TAG.octets) return "encrypted";
  if (named && tags.length === 2 && second?.tag === TAG.bits) return "a public key";
  if (first?.tag !== TAG.sequence || second?.tag !== TAG.sequence || third?.tag !== TAG.bits) {
    return undefined;
  }
  return valuesIn(first)?.[0]?.tag === TAG.integer ? "a certificate request" : "a certificate";
}

/**
 * The numbers of a private key in PKCS#8 (RFC 5958), SEC 1 (RFC 5915) or PKCS#1 (RFC 8017 appendix A.1.2).
 *
 * @throws {RekeyError} `usage` when it is damaged, or for something else than tokens.
 */
export function keyInDer(bytes: Uint8Array): FoundKey {
  const values = sequenceIn(bytes) ?? [];
  const kind = derKind(bytes);
  if (kind === "PKCS#8") return pkcs8Key(values);
  if (kind === "SEC 1") return { numbers: sec1Key(values, undefined) };
  if (kind === "PKCS#1") return { numbers: rsaKey(values) };
  throw damaged("its DER is cut off or changed");
}

const KEY_TYPES: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.3.1": "Diffie-Hellman",
  "1.2.840.10040.4.1": "DSA",
  "1.3.101.110": "X25519",
  "1.3.101.111": "X448",
  "1.3.101.113": "Ed448",
  "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
  "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
  "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
};

function pkcs8Key([version, algorithm, key, ...more]: Der[]): FoundKey {
  if (![0n, 1n].includes(integerOf(version) ?? -1n)) throw damaged("its version is unknown");
  const [type, parameters] = valuesIn(algorithm) ?? [];
  const name = oidOf(type);
  const inner = octetsOf(key) ?? new Uint8Array();
  if (name === "1.2.840.113549.1.1.1") return { numbers: rsaKey(sequenceIn(inner) ?? []) };
  if (name === "1.2.840.113549.1.1.10") {
    return { numbers: rsaKey(sequenceIn(inner) ?? []), only: pssAlgorithms(parameters) };
  }
  if (name === "1.2.840.10045.2.1") {
    return { numbers: sec1Key(sequenceIn(inner) ?? [], parameters) };
  }
  if (name === "1.3.101.112") return { numbers: ed25519Key(inner, more) };
  throw name === undefined ? damaged("its DER is cut off or changed") : otherKey(KEY_TYPES[name]);
}

// Seed, and since RFC 5958 perhaps the public key.
function ed25519Key(inner: Uint8Array, more: readonly Der[]): KeyNumbers {
  const [value, ...others] = derValues(inner) ?? [];
  const d = others.length === 0 ? octetsOf(value) : undefined;
  if (d === undefined) throw damaged("its DER is cut off or changed");
  return { kty: "OKP", d, x: bitsOf(more.find(({ tag }) => tag === TAG.oneBits)) };
}

const CURVES: Readonly<Record<string, EcCurve>> = {
  "1.2.840.10045.3.1.7": "P-256",
  "1.3.132.0.34": "P-384",
  "1.3.132.0.35": "P-521",
};

const OTHER_CURVES: Readonly<Record<string, string>> = {
  "1.3.132.0.10": "secp256k1",
  "1.3.132.0.33": "P-224",
  "1.2.840.10045.3.1.1": "P-192",
  "1.3.36.3.3.2.8.1.1.7": "brainpoolP256r1",
  "1.3.36.3.3.2.8.1.1.11": "brainpoolP384r1",
  "1.3.36.3.3.2.8.1.1.13": "brainpoolP512r1",
};

// The curve is named outside, in PKCS#8, or inside, in SEC 1, or in both.
function sec1Key([version, secret, ...more]: Der[], outside: Der | undefined): EcNumbers {
  const d = octetsOf(secret);
  if (integerOf(version) !== 1n || d === undefined) throw damaged("its DER is cut off or changed");
  const inside = valuesIn(more.find(({ tag }) => tag === TAG.zero), TAG.zero)?.[0];
  const named = [outside, inside].filter((curve) => curve !== undefined).map(curveOf);
  const [crv] = named;
  if (crv === undefined) throw damaged("it does not name its curve");
  if (named.some((other) => other !== crv)) throw damaged("it names two curves");
  const point = bitsOf(valuesIn(more.find(({ tag }) => tag === TAG.one), TAG.one)?.[0]);
  return { kty: "EC", crv, d: numberOf(d), ...coordinates(point) };
}

function curveOf(parameters: Der): EcCurve {
  const oid = oidOf(parameters);
  if (oid === undefined) {
    throw unreadable(
      "it is an elliptic-curve key whose curve is described instead of named",
      "`openssl ec -in OLD.pem -param_enc named_curve -out NEW.pem` names it",
    );
  }
  return CURVES[oid] ?? refuseCurve(OTHER_CURVES[oid]);
}

function refuseCurve(name: string | undefined): never {
  throw otherKey(name ?? "another curve");
}

// SEC 1 §2.3.3: 04 with both coordinates, 02 or 03 with the first.
function coordinates(point: Uint8Array | undefined): { x?: bigint; y?: bigint } {
  if (point === undefined) return {};
  const [form] = point;
  const rest = point.subarray(1);
  if (form === 2 || form === 3) return { x: numberOf(rest) };
  const half = rest.length / 2;
  if (form !== 4 || !Number.isInteger(half)) throw damaged("its public point is no point");
  return { x: numberOf(rest.subarray(0, half)), y: numberOf(rest.subarray(half)) };
}

function rsaKey(values: Der[]): KeyNumbers {
  const [version, n, e, d, p, q, dp, dq, qi] = values.map(integerOf);
  if (version === 1n || values.length > 9) throw moreThanTwoPrimes();
  if (version !== 0n || n === undefined || e === undefined || d === undefined || qi === undefined) {
    throw damaged("its DER is cut off or changed");
  }
  return { kty: "RSA", n, e, d, p, q, dp, dq, qi };
}

/** The error for an RSA key of more primes than two (RFC 8017 §3.2, RFC 7518 §6.3.2.7). */
export function moreThanTwoPrimes() {
  return unreadable(
    "its RSA key has more than two primes",
    "Most programs refuse it; `rekey init --alg RS256` makes another one",
  );
}

/** The error for a private key that signs no tokens. */
export function otherKey(name = "another algorithm") {
  return unreadable(
    `it is a private key for ${name}`,
    "Tokens are signed with keys of P-256, P-384, P-521, Ed25519 or RSA (RFC 7518 §3.1, RFC 8037)",
  );
}
