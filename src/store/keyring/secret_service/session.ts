import { Buffer } from "node:buffer";
import {
  createCipheriv,
  createDecipheriv,
  createDiffieHellman,
  createHmac,
  randomBytes,
} from "node:crypto";
import { BusError } from "./dbus_wire.ts";

// KWallet before 6.25 derives a wrong key when the shared number begins with a zero byte, and refuses public keys that
// do, which the addon's library sends. One call in 128 fails so, without effect. One write in 65,536 is decrypted with
// the wrong key, and a wrong value is stored.
const WRONG_KEY = /public key size is invalid|can't find session|crypto error|unpad/i;
const KEY_TRIES = 6;

/**
 * Repeats a keyring call that failed because of the negotiated key.
 *
 * @param attempt makes the call on a new connection, with new keys.
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

/** The algorithm's name in the Secret Service specification. */
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
 * The key that encrypts values on the bus, negotiated for each connection: whoever watches the bus does not see them.
 */
export class SecretSession implements Disposable {
  readonly #exchange = createDiffieHellman(PRIME, "hex", GENERATOR);
  /** The key to send to the service. */
  readonly publicKey: Uint8Array = this.#exchange.generateKeys();
  #key: Uint8Array | undefined;

  /** Takes the service's public key. @throws {BusError} when it is not valid. */
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

  /** Decrypts a value; the caller overwrites the result. @throws {BusError} when decryption fails. */
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

  /** Encrypts a value for the service. */
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
