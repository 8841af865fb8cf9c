import { Buffer } from "node:buffer";
import { constants, createHash, type KeyObject, sign as signBytes } from "node:crypto";
import { PAIR_ALGORITHMS, PAIR_SCHEMES, type PairAlgorithm } from "../../../src/core/algorithms.ts";
import { KeyPair } from "../../../src/core/key_pair.ts";
import { b64, claims } from "./jwt_attacks/row.ts";

// Signatures of key pairs, right ones and those that a careless verifier accepts.

type PairSign = (header: object, payload?: string) => string;

/** The algorithms that a key could sign with. */
export function algorithmsOf(privateKey: KeyObject): PairAlgorithm[] {
  const pair = KeyPair.of(privateKey)!;
  return PAIR_ALGORITHMS.filter((alg) => pair.suits(alg));
}

/** Signs any header, whatever its `alg` says. */
export function pairSigner(alg: PairAlgorithm, privateKey: KeyObject): PairSign {
  return (header, payload = claims()) => {
    const text = `${b64(JSON.stringify(header))}.${b64(payload)}`;
    return `${text}.${b64(signature(alg, privateKey, text))}`;
  };
}

function signature(alg: PairAlgorithm, key: KeyObject, text: string, more = {}): Buffer {
  const { kind, hash, salt } = PAIR_SCHEMES[alg];
  const pss = salt === undefined
    ? {}
    : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: salt };
  const ec = kind.kty === "EC" ? { dsaEncoding: "ieee-p1363" } as const : {};
  return signBytes(hash, Buffer.from(text), { key, ...pss, ...ec, ...more });
}

/** Tokens whose signature is wrong, by what is wrong with it. */
export function wrongSignatures(
  alg: PairAlgorithm,
  key: KeyObject,
  header: object,
): [name: string, token: string][] {
  const text = `${b64(JSON.stringify(header))}.${b64(claims())}`;
  const right = signature(alg, key, text);
  const { kty } = PAIR_SCHEMES[alg].kind;
  const special = kty === "EC"
    ? ofCurve(alg, key, text, right)
    : kty === "OKP"
    ? ofEdwards(right)
    : ofRsa(alg, key, text, right);
  return [...lengths(right), ...changed(right), ...special]
    .map(([name, bytes]) => [name, `${text}.${b64(bytes)}`]);
}

type Wrong = [name: string, signature: Uint8Array];

function lengths(right: Buffer): Wrong[] {
  return [
    ["none", Buffer.of()],
    ["a byte", Buffer.of(0)],
    ["a byte less", right.subarray(1)],
    ["without its last byte", right.subarray(0, -1)],
    ["a byte more", Buffer.concat([right, Buffer.of(0)])],
    ["a zero before it", Buffer.concat([Buffer.of(0), right])],
    ["two zeros behind it", Buffer.concat([right, Buffer.of(0, 0)])],
    ["twice", Buffer.concat([right, right])],
    ["half", right.subarray(0, right.length / 2)],
    ["of 1,024 bytes", Buffer.alloc(1024, 7)],
  ];
}

function changed(right: Buffer): Wrong[] {
  const flipped = (at: number) => {
    const copy = Buffer.from(right);
    copy[at]! ^= 1;
    return copy;
  };
  return [
    ["all zeros", Buffer.alloc(right.length)],
    ["all ones", Buffer.alloc(right.length, 255)],
    ["one", Buffer.from([...Buffer.alloc(right.length - 1), 1])],
    ["backwards", right.toReversed()],
    ...[0, right.length >> 1, right.length - 1].map((
      at,
    ): Wrong => [`byte ${at} changed`, flipped(at)]),
  ];
}

// Orders of the curves' groups (FIPS 186-4 D.1.2) and of Ed25519's (RFC 8032 §5.1).
const ORDERS: Record<string, bigint> = {
  ES256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  ES384:
    0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  ES512: (1n << 521n) -
    (0x5ae79787c40d069948033feb708f65a2fc44a36477663b851449048e16ec79bf7n),
};
const ED25519_ORDER = (1n << 252n) + 27742317777372353535851937790883648493n;

function number(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}

function bytesOf(value: bigint, length: number): Buffer {
  return Buffer.from(value.toString(16).padStart(length * 2, "0"), "hex");
}

// RFC 7518 §3.4: R and S side by side, each from 1 to the order less 1.
function ofCurve(alg: PairAlgorithm, key: KeyObject, text: string, right: Buffer): Wrong[] {
  const half = right.length / 2;
  const order = ORDERS[alg]!;
  const edges: [string, bigint][] = [["0", 0n], ["1", 1n], ["n-1", order - 1n], ["n", order]];
  const [r, s] = [right.subarray(0, half), right.subarray(half)];
  const pairs = edges.flatMap(([one, a]) =>
    edges.map(([two, b]): Wrong => [
      `R ${one}, S ${two}`,
      Buffer.concat([bytesOf(a, half), bytesOf(b, half)]),
    ])
  );
  return [
    ...pairs,
    ...edges.flatMap(([one, a]): Wrong[] => [
      [`R ${one}`, Buffer.concat([bytesOf(a, half), s])],
      [`S ${one}`, Buffer.concat([r, bytesOf(a, half)])],
    ]),
    ["R and S exchanged", Buffer.concat([s, r])],
    ["DER", signature(alg, key, text, { dsaEncoding: "der" })],
    ["R with a zero before it", Buffer.concat([Buffer.of(0), r, Buffer.of(0), s])],
  ];
}

function ofEdwards(right: Buffer): Wrong[] {
  const s = number(right.subarray(32).toReversed()) + ED25519_ORDER;
  const little = bytesOf(s, 32).toReversed();
  return [
    // RFC 8032 §8.4: without a check of the range, a signature has a second form.
    ["S plus the order", Buffer.concat([right.subarray(0, 32), little])],
    ["R and S exchanged", Buffer.concat([right.subarray(32), right.subarray(0, 32)])],
    ["R all zeros", Buffer.concat([Buffer.alloc(32), right.subarray(32)])],
    ["S zero", Buffer.concat([right.subarray(0, 32), Buffer.alloc(32)])],
    ["neutral R, S zero", Buffer.concat([Buffer.of(1), Buffer.alloc(63)])],
  ];
}

// RSASP1 (RFC 8017 §5.2.1) of a block with any padding: the runtime signs none but its own.
function ofBlock(key: KeyObject, block: Uint8Array): Buffer {
  const { n, d } = key.export({ format: "jwk" });
  const [modulus, exponent] = [n, d].map((text) => number(Buffer.from(text!, "base64url")));
  let [result, power] = [1n, number(block)];
  for (let bits = exponent!; bits > 0n; bits >>= 1n) {
    if (bits & 1n) result = result * power % modulus!;
    power = power * power % modulus!;
  }
  return bytesOf(result, block.length);
}

function ofRsa(alg: PairAlgorithm, key: KeyObject, text: string, right: Buffer): Wrong[] {
  const { hash, salt } = PAIR_SCHEMES[alg];
  const modulus = number(Buffer.from(key.export({ format: "jwk" }).n!, "base64url"));
  const unreduced = number(right) + modulus;
  const fits = unreduced < 1n << BigInt(right.length * 8);
  const digest = Buffer.from(createHash(hash!).update(text).digest());
  return [
    ...fits ? [["plus the modulus", bytesOf(unreduced, right.length)] as Wrong] : [],
    ["the modulus", bytesOf(modulus, right.length)],
    ["the modulus less 1", bytesOf(modulus - 1n, right.length)],
    ...salt === undefined ? paddings(hash!, digest, key, right) : salts(alg, key, text, salt),
  ];
}

const DIGEST_INFO: Record<string, string> = {
  sha256: "3031300d060960864801650304020105000420",
  sha384: "3041300d060960864801650304020205000430",
  sha512: "3051300d060960864801650304020305000440",
};

// RFC 8017 §9.2: 00 01 FF…FF 00 and the DigestInfo, and nothing else (Bleichenbacher's forgery of 2006).
function paddings(
  hash: string,
  digest: Buffer<ArrayBuffer>,
  key: KeyObject,
  { length }: Buffer,
): Wrong[] {
  const info = Buffer.from(DIGEST_INFO[hash]!, "hex");
  const block = (
    { type = 1, fill = 255, end = 0, tail = Buffer.concat([info, digest]), behind = 0 },
  ) => {
    const padding = Buffer.alloc(length - 3 - tail.length - behind, fill);
    const parts = [Buffer.of(0, type), padding, Buffer.of(end), tail, Buffer.alloc(behind, 85)];
    return ofBlock(key, Buffer.concat(parts));
  };
  // Without the NULL of its parameters, and with an indefinite length.
  const noNull = Buffer.from(info.toString("hex").replace("0500", ""), "hex");
  noNull[1]! -= 2;
  noNull[3]! -= 2;
  const longForm = Buffer.concat([Buffer.of(0x30, 0x81), info.subarray(1)]);
  const tail = (header: Uint8Array) => Buffer.concat([header, digest]);
  return [
    ["the digest without DigestInfo", block({ tail: digest })],
    ["DigestInfo without NULL", block({ tail: tail(noNull) })],
    ["DigestInfo with a long length", block({ tail: tail(longForm) })],
    ["DigestInfo twice", block({ tail: Buffer.concat([tail(info), tail(info)]) })],
    ["bytes behind the digest", block({ behind: 20 })],
    [
      "eight bytes of padding and bytes behind",
      block({ behind: length - 3 - info.length - digest.length - 8 }),
    ],
    ["block type 2", block({ type: 2 })],
    ["block type 0", block({ type: 0, fill: 0 })],
    ["padding of zeros", block({ fill: 0 })],
    ["no end of the padding", block({ end: 255 })],
    ["another digest", block({ tail: Buffer.concat([info, Buffer.alloc(digest.length, 1)]) })],
    ["the name of another hash", block({ tail: tail(Buffer.from(info).fill(9, 14, 15)) })],
  ];
}

// RFC 7518 §3.5: the salt is as long as the hash, and MGF1 uses the same hash.
function salts(alg: PairAlgorithm, key: KeyObject, text: string, salt: number): Wrong[] {
  return [0, 1, salt - 1, salt + 1, 20, 64, 100].filter((length) => length !== salt).map((
    saltLength,
  ): Wrong => [`a salt of ${saltLength} bytes`, signature(alg, key, text, { saltLength })]);
}
