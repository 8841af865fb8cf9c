import { Buffer } from "node:buffer";
import { createHmac, randomBytes } from "node:crypto";
import { RekeyError } from "./errors.ts";
import { sameText } from "./text.ts";

/** Size of a secret that rekey makes: 512 bits, the output size of HS512 (RFC 7518 §3.2). */
const SECRET_BYTES = 64;

/** How the HMAC key is made from the stored text: its own bytes, or the bytes it decodes to. */
export const KEY_FORMS = ["text", "raw"] as const;
export type KeyForm = (typeof KEY_FORMS)[number];

const BASE64_OF_64_BYTES = /^[A-Za-z0-9+/]{86}==$/;
const KID_LABEL = "rekey kid v1";
const KID_LENGTH = 16;

/**
 * A signing secret. However it is printed it shows only its kid; the value leaves it by
 * {@linkcode Secret.reveal} (to a store or a child process) and {@linkcode Secret.hmacKey} (to HMAC).
 *
 * @example
 * ```ts
 * const secret = Secret.generate();
 * console.log(`${secret}`); // [secret kid=…]
 * ```
 */
export class Secret {
  readonly #text: string;
  /** Public name: first 16 base64url characters of HMAC-SHA-256 over a fixed label, keyed with the text. */
  readonly kid: string;

  private constructor(text: string) {
    // Half of a surrogate pair has no UTF-8: every store would keep another text, under the same kid.
    if (!text.isWellFormed()) throw damaged("it is no text");
    this.#text = text;
    this.kid = createHmac("sha256", text).update(KID_LABEL).digest("base64url").slice(
      0,
      KID_LENGTH,
    );
  }

  /** A new secret of {@linkcode SECRET_BYTES} bytes from the system's CSPRNG. */
  static generate(): Secret {
    return new Secret(randomBytes(SECRET_BYTES).toString("base64"));
  }

  /**
   * Takes up a stored value: canonical standard base64 of {@linkcode SECRET_BYTES} bytes, or an imported
   * value, which may be any text and is known by its kid.
   *
   * @param kid of the version that the value should be.
   * @throws {RekeyError} `secret_damaged` when it is anything else. The message never quotes it.
   */
  static parse(text: string, kid?: string): Secret {
    const secret = new Secret(text);
    if (secret.kid === kid || isGenerated(text)) return secret;
    throw damaged(`it is not ${SECRET_BYTES} bytes of base64`);
  }

  /** Takes up a value that was made elsewhere, whatever text it is. @throws {RekeyError} `secret_damaged` when it is none. */
  static imported(text: string): Secret {
    return new Secret(text);
  }

  /** A copy of the HMAC key; the caller may overwrite it after use. */
  hmacKey(form: KeyForm): Uint8Array {
    if (form === "text") return new TextEncoder().encode(this.#text);
    const bytes = Buffer.from(this.#text, "base64");
    const key = new Uint8Array(bytes);
    bytes.fill(0);
    return key;
  }

  /** The value itself: 88 characters of standard base64. For stores and `exec` only. */
  reveal(): string {
    return this.#text;
  }

  /** Whether another one is the same text: {@linkcode sameText}. */
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

function damaged(why: string): RekeyError {
  return new RekeyError("secret_damaged", `Cannot use the stored JWT secret: ${why}`, {
    hint: "Restore it from a backup, or make a new one with `rekey rotate --force`",
  });
}

// The length of the text decides that of the bytes; encoding again finds unused bits that are set.
function isGenerated(text: string): boolean {
  return BASE64_OF_64_BYTES.test(text) && Buffer.from(text, "base64").toString("base64") === text;
}
