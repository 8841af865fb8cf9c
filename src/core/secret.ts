import { Buffer } from "node:buffer";
import { createHmac, randomBytes } from "node:crypto";
import { type Algorithm, isHmac, type PairAlgorithm } from "./algorithms.ts";
import { RekeyError } from "./errors.ts";
import { KeyPair } from "./key_pair.ts";

/** How many random bytes a generated secret has, and how they are written as its text. */
export interface Shape {
  readonly bytes: number;
  readonly encoding: ShapeEncoding;
}

/** Encodings of a generated secret: standard base64 with padding, base64url without, lower-case hex. */
export const SHAPE_ENCODINGS = ["base64", "base64url", "hex"] as const;
export type ShapeEncoding = (typeof SHAPE_ENCODINGS)[number];

/** Shape of a secret unless another is asked for: 512 bits, the output size of HS512 (RFC 7518 §3.2). */
export const STANDARD_SHAPE: Shape = { bytes: 64, encoding: "base64" };

/** Whether the HMAC key is the UTF-8 of the stored text, or the bytes that its base64 or base64url, or its hex, encodes. */
export const HMAC_KEY_FORMS = ["text", "raw", "hex"] as const;

/** How a stored value becomes the key. `pkcs8`: it is the private key of a key pair (`KeyPair.text`). */
export const KEY_FORMS = [...HMAC_KEY_FORMS, "pkcs8"] as const;
export type KeyForm = (typeof KEY_FORMS)[number];

const BASE64_OF_64_BYTES = /^[A-Za-z0-9+/]{86}==$/;
const KID_LABEL = "rekey kid v1";
const KID_LENGTH = 16;

/**
 * A signing secret: an HMAC secret or a private key. Printing it shows only its kid. Only {@linkcode Secret.reveal} (for
 * stores and child processes), {@linkcode Secret.hmacKey} (for HMAC) and {@linkcode Secret.pair} (for signatures) return
 * its value.
 *
 * @example
 * ```ts
 * const secret = Secret.generate();
 * console.log(`${secret}`); // [secret kid=…]
 * ```
 */
export class Secret {
  readonly #text: string;
  readonly #pair: KeyPair | undefined;
  /**
   * Key id. Of an HMAC secret the first 16 base64url characters of HMAC-SHA-256 over a fixed label, keyed with the text;
   * of a key pair its RFC 7638 thumbprint.
   */
  readonly kid: string;

  private constructor(text: string) {
    // Unpaired surrogates have no UTF-8: stores would change them.
    if (!text.isWellFormed()) throw damaged("it is not valid text");
    this.#text = text;
    this.#pair = KeyPair.parse(text);
    this.kid = this.#pair?.thumbprint ?? hmacKid(text);
  }

  /** A new secret from the system's CSPRNG. */
  static generate({ bytes, encoding } = STANDARD_SHAPE): Secret {
    return new Secret(randomBytes(bytes).toString(encoding));
  }

  /** A new key pair, as {@linkcode KeyPair.generate} makes it. @param bits of an RSA key. */
  static async generatePair(alg: PairAlgorithm, bits: number): Promise<Secret> {
    return new Secret((await KeyPair.generate(alg, bits)).text);
  }

  /**
   * Checks a stored value: a key pair, canonical standard base64 of 64 bytes, or any text with the expected kid: an
   * imported one, or one of another shape.
   *
   * @param kid of the version that the value should have.
   * @throws {RekeyError} `secret_damaged` for anything else. The message never quotes the value.
   */
  static parse(text: string, kid?: string): Secret {
    const secret = new Secret(text);
    if (secret.kid === kid || secret.#pair !== undefined || isGenerated(text)) return secret;
    throw damaged(`it is neither ${STANDARD_SHAPE.bytes} bytes of base64 nor a private key`);
  }

  /** A secret that was not made by rekey: any text. @throws {RekeyError} `secret_damaged` if it is not valid text. */
  static imported(text: string): Secret {
    return new Secret(text);
  }

  /** The key pair; `undefined` for an HMAC secret. */
  get pair(): KeyPair | undefined {
    return this.#pair;
  }

  /** Whether the value is a key for an algorithm, in a form. */
  suits(alg: Algorithm, form: KeyForm): boolean {
    if (isHmac(alg)) return this.#pair === undefined && form !== "pkcs8";
    return form === "pkcs8" && this.#pair?.suits(alg) === true;
  }

  /**
   * A copy of the HMAC key. The caller may overwrite it after use.
   *
   * @throws {Error} for a key pair: no part of one may ever be an HMAC key (RFC 8725 §3.1).
   */
  hmacKey(form: KeyForm): Uint8Array {
    if (form === "pkcs8" || this.#pair !== undefined) throw new Error("A key pair is no HMAC key");
    if (form === "text") return new TextEncoder().encode(this.#text);
    const bytes = Buffer.from(this.#text, form === "hex" ? "hex" : "base64");
    const key = new Uint8Array(bytes);
    bytes.fill(0);
    return key;
  }

  /**
   * The value: 88 characters of standard base64 if it was generated, `pkcs8:` and base64 of a private key. For stores
   * and `exec` only.
   */
  reveal(): string {
    return this.#text;
  }

  /** Compares in constant time. */
  equals(other: Secret): boolean {
    return sameText(this.#text, other.#text);
  }

  toString(): string {
    return `[secret kid=${this.kid}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

function hmacKid(text: string): string {
  return createHmac("sha256", text).update(KID_LABEL).digest("base64url").slice(0, KID_LENGTH);
}

function damaged(why: string): RekeyError {
  return new RekeyError("secret_damaged", `Cannot use the stored JWT secret: ${why}`, {
    hint: "Restore it from a backup, or make a new one with `rekey rotate --force`",
  });
}

// Encoding again detects unused bits that are set.
function isGenerated(text: string): boolean {
  return BASE64_OF_64_BYTES.test(text) && Buffer.from(text, "base64").toString("base64") === text;
}

/**
 * Compares two texts, in a time that does not depend on where they differ. Their code units: in UTF-8 different unpaired
 * surrogates are equal. The runtime takes a hundred times as many instructions to make UTF-16 of a text.
 */
export function sameText(one: string, two: string): boolean {
  let differences = one.length ^ two.length;
  for (let at = 0; at < one.length; at++) differences |= one.charCodeAt(at) ^ two.charCodeAt(at);
  return differences === 0;
}
