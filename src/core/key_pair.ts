import { Buffer } from "node:buffer";
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
} from "node:crypto";
import { promisify } from "node:util";
import { PAIR_ALGORITHMS, PAIR_SCHEMES, type PairAlgorithm, type PairKind } from "./algorithms.ts";

/** The public half of a key pair (RFC 7517, RFC 7518 §6, RFC 8037 §2), without `kid`, `alg` and `use`. */
export interface PublicJwk {
  readonly kty: string;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
  readonly n?: string;
  readonly e?: string;
}

/** Size of the smallest RSA key, in bits (RFC 7518 §3.3), and of one that is made unless another is asked for. */
export const LEAST_RSA_BITS = 2048;

/** Size of the largest RSA key, in bits. */
export const MOST_RSA_BITS = 4096;

const PREFIX = "pkcs8:";

// The members that a thumbprint hashes, in the order of RFC 7638 §3.2.
const THUMBPRINT_MEMBERS = {
  EC: ["crv", "kty", "x", "y"],
  OKP: ["crv", "kty", "x"],
  RSA: ["e", "kty", "n"],
};

const SIGNATURE_BYTES = { "P-256": 64, "P-384": 96, "P-521": 132, Ed25519: 64 };

/** A private key with its public half. It belongs to a `Secret`, which never prints it. */
export class KeyPair {
  /** Names the format of a stored value. The rest is PKCS#8 (RFC 5958) in standard base64: a PEM file's without its lines. */
  static readonly prefix = PREFIX;
  readonly #private: KeyObject;
  /** For verification. */
  readonly publicKey: KeyObject;
  readonly publicJwk: PublicJwk;
  /** RFC 7638, with SHA-256: 43 characters of base64url. */
  readonly thumbprint: string;
  /** Of an RSA key: n, the most significant byte first. */
  readonly #modulus: Buffer | undefined;

  private constructor(privateKey: KeyObject) {
    this.#private = privateKey;
    this.publicKey = createPublicKey(
      privateKey as unknown as Parameters<typeof createPublicKey>[0],
    );
    this.publicJwk = publicMembers(this.publicKey);
    this.thumbprint = thumbprintOf(this.publicJwk);
    const { n } = this.publicJwk;
    this.#modulus = n === undefined ? undefined : Buffer.from(n, "base64url");
  }

  /**
   * A new key pair from the system's CSPRNG. An RSA key of 4096 bits takes seconds, on a thread of the runtime's.
   *
   * @param bits of an RSA key.
   */
  static async generate(alg: PairAlgorithm, bits: number): Promise<KeyPair> {
    return new KeyPair(await generated(PAIR_SCHEMES[alg].kind, bits));
  }

  /** The key pair of a stored value; `undefined` when it is not one, such as an HMAC secret. */
  static parse(text: string): KeyPair | undefined {
    if (!text.startsWith(PREFIX)) return undefined;
    const encoded = text.slice(PREFIX.length);
    const der = Buffer.from(encoded, "base64");
    try {
      if (der.toString("base64") !== encoded) return undefined;
      return KeyPair.of(createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
    } catch {
      return undefined;
    } finally {
      der.fill(0);
    }
  }

  /** @returns `undefined` for a kind of key that no algorithm of a token uses. */
  static of(privateKey: KeyObject): KeyPair | undefined {
    const pair = new KeyPair(privateKey);
    return PAIR_ALGORITHMS.some((alg) => pair.suits(alg)) ? pair : undefined;
  }

  /** The stored value: `pkcs8:` and base64. */
  get text(): string {
    const der = this.#private.export({ type: "pkcs8", format: "der" }) as Buffer;
    const text = PREFIX + der.toString("base64");
    der.fill(0);
    return text;
  }

  /** For signing only. */
  get privateKey(): KeyObject {
    return this.#private;
  }

  /** The public half as PEM of SubjectPublicKeyInfo (RFC 7468 §13), with a last line end. */
  get publicPem(): string {
    return this.publicKey.export({ type: "spki", format: "pem" }) as string;
  }

  /** Bits of an RSA key's modulus; `undefined` for other keys. */
  get rsaBits(): number | undefined {
    const bytes = this.#modulus;
    return bytes && bytes.length * 8 - Math.clz32(bytes[0]!) + 24;
  }

  /**
   * Whether bytes can be a signature of this key: their length (RFC 7518 §3.3 to §3.5, RFC 8032 §5.1.6), and of RSA a
   * number that is less than the modulus (RFC 8017 §5.2.2). The runtime checks neither for every algorithm.
   */
  hasSignatureForm(bytes: Uint8Array): boolean {
    const modulus = this.#modulus;
    if (modulus !== undefined) {
      return bytes.length === modulus.length && Buffer.compare(bytes, modulus) < 0;
    }
    return bytes.length === SIGNATURE_BYTES[this.publicJwk.crv as keyof typeof SIGNATURE_BYTES];
  }

  /** Whether an algorithm signs with this kind of key. */
  suits(alg: PairAlgorithm): boolean {
    return this.#is(PAIR_SCHEMES[alg].kind);
  }

  #is(kind: PairKind): boolean {
    const { kty, crv } = this.publicJwk;
    return kty === kind.kty && (kind.kty === "RSA" || crv === kind.crv);
  }
}

// PKCS#8 in bytes: of a curve its largest, of RSA what is beside n, d and the five numbers of half their size.
const [CURVE_BYTES, RSA_FRAME_BYTES] = [250, 80];

/** Most characters of the stored value of a new key pair. @param bytes of the modulus of an RSA key. */
export function longestPairText(alg: PairAlgorithm, bytes: number): number {
  const der = PAIR_SCHEMES[alg].kind.kty === "RSA" ? 4.5 * bytes + RSA_FRAME_BYTES : CURVE_BYTES;
  return PREFIX.length + 4 * Math.ceil(der / 3);
}

/** The algorithm that is used unless another is asked for: the first that the key suits. */
export function usualAlgorithm(pair: KeyPair): PairAlgorithm {
  return PAIR_ALGORITHMS.find((alg) => pair.suits(alg))!;
}

const generate = promisify(generateKeyPair);

async function generated(kind: PairKind, bits: number): Promise<KeyObject> {
  const made = kind.kty === "RSA"
    ? generate("rsa", { modulusLength: bits })
    : kind.kty === "OKP"
    ? generate("ed25519", {})
    : generate("ec", { namedCurve: kind.crv });
  return (await made).privateKey;
}

function publicMembers(key: KeyObject): PublicJwk {
  const { kty, crv, x, y, n, e } = key.export({ format: "jwk" });
  const members = Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) =>
    value !== undefined
  );
  return Object.fromEntries(members) as unknown as PublicJwk;
}

/** RFC 7638 §3.1, with SHA-256. */
function thumbprintOf(jwk: PublicJwk): string {
  const members = THUMBPRINT_MEMBERS[jwk.kty as keyof typeof THUMBPRINT_MEMBERS];
  const hashed = members.map((name) => [name, jwk[name as keyof PublicJwk]]);
  return createHash("sha256").update(JSON.stringify(Object.fromEntries(hashed))).digest(
    "base64url",
  );
}
