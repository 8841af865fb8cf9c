import { Buffer } from "node:buffer";
import {
  createCipheriv,
  createDecipheriv,
  createDiffieHellman,
  createHmac,
  randomBytes,
} from "node:crypto";
import { BusError } from "./dbus_wire.ts";

// KWallet before 6.25 derives another key than its clients when the shared number begins with a zero byte, and takes no
// public key that does; the addon's library gives it some. One call of 128 fails by it before it has an effect. One
// of 65,536 writes is opened with the wrong key all the same, and another value is kept.
const WRONG_KEY = /public key size is invalid|can't find session|crypto error|unpad/i;
const KEY_TRIES = 6;

/**
 * Makes a call of the keyring again that has failed by the key that both ends agreed upon.
 *
 * @param attempt makes the call on a connection of its own, with keys of its own.
 */
export async function withAnotherKey<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1;; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (tries === KEY_TRIES || !(error instanceof Error && WRONG_KEY.test(error.message))) {
        throw error;
      }
    }
  }
}

/** The name of what is done here, in the Secret Service's specification. */
export const ALGORITHM = "dh-ietf1024-sha256-aes128-cbc-pkcs7";

// RFC 2409 §6.2.
const PRIME = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74" +
  "020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437" +
  "4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed" +
  "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff";
const PRIME_BYTES = PRIME.length / 2;
const GENERATOR = 2;
const HASH = "sha256";
const KEY_BYTES = 16;

/**
 * The key that a value travels under from the Secret Service to here, agreed upon anew for each connection: whoever
 * may watch the bus does not see the value.
 */
export class SecretSession implements Disposable {
  readonly #exchange = createDiffieHellman(PRIME, "hex", GENERATOR);
  /** What the service is told. */
  readonly publicKey: Uint8Array = this.#exchange.generateKeys();
  #key: Uint8Array | undefined;

  /** Takes what the service told. @throws {BusError} when no key can be made of it. */
  agree(theirs: Uint8Array): void {
    // KWallet before 6.25 puts a zero before a number whose first bit is set.
    const number = theirs.length === PRIME_BYTES + 1 && theirs[0] === 0
      ? theirs.subarray(1)
      : theirs;
    if (number.length === 0 || number.length > PRIME_BYTES) throw new BusError("This is no key");
    const shared = this.#exchange.computeSecret(number);
    const padded = Buffer.concat([Buffer.alloc(PRIME_BYTES - shared.length), shared]);
    this.#key = keyFrom(padded);
    shared.fill(0);
    padded.fill(0);
  }

  /** Opens a value. Its bytes are the caller's to overwrite. @throws {BusError} when it is sealed in another way. */
  open(initial: Uint8Array, sealed: Uint8Array): Uint8Array {
    if (this.#key === undefined) throw new Error("There is no key yet");
    const parts: Buffer[] = [];
    try {
      const decipher = createDecipheriv("aes-128-cbc", this.#key, initial);
      parts.push(decipher.update(sealed));
      parts.push(decipher.final());
      return Buffer.concat(parts);
    } catch (cause) {
      throw new BusError("The value is sealed in another way", { cause });
    } finally {
      for (const part of parts) part.fill(0);
    }
  }

  /** Seals a value for the way to the service. */
  seal(value: Uint8Array): { initial: Uint8Array; sealed: Uint8Array } {
    if (this.#key === undefined) throw new Error("There is no key yet");
    const initial = randomBytes(KEY_BYTES);
    const cipher = createCipheriv("aes-128-cbc", this.#key, initial);
    return { initial, sealed: Buffer.concat([cipher.update(value), cipher.final()]) };
  }

  [Symbol.dispose](): void {
    this.#key?.fill(0);
  }
}

// HKDF (RFC 5869) without salt and info; one block is more than the key takes. `hkdfSync` costs half a millisecond more.
function keyFrom(shared: Uint8Array): Uint8Array {
  const pseudorandom = createHmac(HASH, new Uint8Array(32)).update(shared).digest();
  const block = createHmac(HASH, pseudorandom).update(Uint8Array.of(1)).digest();
  const key = Uint8Array.from(block.subarray(0, KEY_BYTES));
  pseudorandom.fill(0);
  block.fill(0);
  return key;
}
