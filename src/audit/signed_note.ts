import { Buffer } from "node:buffer";
import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { keyOfSeed, SEED_BYTES } from "../core/ed25519.ts";

// Notes that are signed with Ed25519, as logs of Go's checksum database and of certificates publish them
// (c2sp.org/signed-note): text, an empty line, and lines that begin with an em dash, a name and a space.

const ED25519 = 1;
const [PUBLIC_BYTES, ID_BYTES, SIGNATURE_BYTES] = [32, 4, 64];
// What precedes a public key in SPKI (RFC 8410 §4).
const SPKI = Buffer.from("302a300506032b6570032100", "hex");

/** Signs notes under one name. */
export class NoteSigner {
  readonly #key: KeyObject;
  /** The public half. */
  readonly verifier: NoteVerifier;

  /** @param seed 32 bytes (RFC 8032 §5.1.5). */
  constructor(name: string, seed: Uint8Array) {
    if (seed.length !== SEED_BYTES) throw new Error("A seed of Ed25519 has 32 bytes");
    this.#key = keyOfSeed(seed);
    // The types lack what the runtime takes.
    const key = createPublicKey(this.#key as unknown as Parameters<typeof createPublicKey>[0]);
    this.verifier = new NoteVerifier(name, key);
  }

  /** A note of a text, which ends with a line feed. */
  sign(text: string): string {
    const { name, id } = this.verifier;
    const signature = Buffer.concat([id, sign(null, Buffer.from(text), this.#key)]);
    return `${text}\n\u2014 ${name} ${signature.toString("base64")}\n`;
  }
}

/** Checks notes that one key has signed. */
export class NoteVerifier {
  readonly #key: KeyObject;
  readonly #public: Uint8Array;
  /** Of the key: the first bytes of a hash of its name and its public half. */
  readonly id: Uint8Array;

  constructor(readonly name: string, key: KeyObject) {
    this.#key = key;
    const { x } = key.export({ format: "jwk" });
    this.#public = Buffer.concat([Buffer.of(ED25519), Buffer.from(x!, "base64url")]);
    this.id = createHash("sha256").update(`${name}\n`).update(this.#public).digest()
      .subarray(0, ID_BYTES);
  }

  /** Reads what {@linkcode NoteVerifier.toString} gives; `undefined` for anything else. */
  static parse(text: string): NoteVerifier | undefined {
    const [, name, id, encoded] = /^([^\s+]{1,200})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/.exec(
      text.trim(),
    ) ?? [];
    if (name === undefined) return undefined;
    const bytes = Buffer.from(encoded!, "base64");
    if (bytes.length !== PUBLIC_BYTES + 1 || bytes[0] !== ED25519) return undefined;
    try {
      const key = Buffer.concat([SPKI, bytes.subarray(1)]);
      const verifier = new NoteVerifier(
        name,
        createPublicKey({ key, format: "der", type: "spki" }),
      );
      return Buffer.from(verifier.id).toString("hex") === id ? verifier : undefined;
    } catch {
      // The bytes are no point of the curve (RFC 8032 §5.1.3).
      return undefined;
    }
  }

  /** `NAME+ID+KEY`: the name, the id in hex, and the key's kind and bytes in base64. */
  toString(): string {
    const [id, key] = [Buffer.from(this.id), Buffer.from(this.#public)];
    return `${this.name}+${id.toString("hex")}+${key.toString("base64")}`;
  }

  /** The text of a note that this key has signed; `undefined` for a note of another key, and for any other text. */
  open(note: string): string | undefined {
    const end = note.lastIndexOf("\n\n");
    if (end < 0 || !note.endsWith("\n")) return undefined;
    const text = note.slice(0, end + 1);
    for (const line of note.slice(end + 2, -1).split("\n")) {
      const [, name, encoded] = /^\u2014 (\S+) ([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? [];
      if (name === undefined) return undefined;
      const bytes = Buffer.from(encoded!, "base64");
      const isOurs = name === this.name &&
        Buffer.compare(bytes.subarray(0, ID_BYTES), this.id) === 0;
      // Others may have signed the same note.
      if (isOurs) return this.#accepts(text, bytes.subarray(ID_BYTES)) ? text : undefined;
    }
    return undefined;
  }

  #accepts(text: string, signature: Uint8Array): boolean {
    return signature.length === SIGNATURE_BYTES &&
      verify(null, Buffer.from(text), this.#key, signature);
  }
}
