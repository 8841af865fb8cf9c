import type { MethodCall } from "./dbus_message.ts";
import { BusError, busText, type Reader, type Writer } from "./dbus_wire.ts";
import { Buffer } from "node:buffer";
import {
  createCipheriv,
  createDecipheriv,
  createDiffieHellman,
  createHmac,
  randomBytes,
} from "node:crypto";

// The calls of the Secret Service API that rekey makes, and how their answers are read. They go to whichever program
// provides the service; put the `destination` of one connection in its place to reach that one only.

/** The well-known name of the Secret Service on a session bus. */
export const SECRETS = "org.freedesktop.secrets";
const SERVICE_PATH = "/org/freedesktop/secrets";
const INTERFACE = "org.freedesktop.Secret";
// The same as the addon's library uses, so that each finds what the other wrote.
const CONTENT_TYPE = "application/octet-stream";

/** An item of the keyring, as the addon's library names it. */
export interface ItemName {
  readonly service: string;
  readonly account: string;
}

/** The arguments of a call that takes strings only. */
export function strings(...values: string[]): Pick<MethodCall, "signature" | "body"> {
  return {
    signature: "s".repeat(values.length),
    body: (to) => values.forEach((value) => to.string(value)),
  };
}

/** Asks for the path of the default collection: `/` when there is none. Answer: `o`. */
export const READ_DEFAULT: MethodCall = { ...service("ReadAlias"), ...strings("default") };

/** Searches all items of a service name, or one of its accounts. Answer: `aoao`, see {@linkcode foundItems}. */
export function searchItems({ service: name, account }: Partial<ItemName>): MethodCall {
  const attributes = [["service", name], ["username", account]]
    .filter(([, value]) => value !== undefined) as [string, string][];
  return {
    ...service("SearchItems"),
    signature: "a{ss}",
    body: (to) => writeAttributes(to, attributes),
  };
}

/** The paths in the answer of `SearchItems`. */
export function foundItems(answer: Reader): { unlocked: string[]; locked: string[] } {
  const found = { unlocked: answer.objectPaths(), locked: answer.objectPaths() };
  answer.end();
  return found;
}

/** Opens a session with an encryption key of its own. Answer: `vo`, see {@linkcode openedSession}. */
export function openSession(publicKey: Uint8Array): MethodCall {
  return {
    ...service("OpenSession"),
    signature: "sv",
    body: (to) => to.string(ALGORITHM).signature("ay").byteArray(publicKey),
  };
}

/** The service's public key and the session's path, in the answer of `OpenSession`. */
export function openedSession(answer: Reader): { publicKey: Uint8Array; path: string } {
  const opened = { publicKey: answer.variant("ay").byteArray(), path: answer.objectPath() };
  answer.end();
  return opened;
}

/** Unlocks items. Answer: `aoo`, the unlocked ones and a prompt. */
export function unlock(paths: readonly string[]): MethodCall {
  return { ...service("Unlock"), signature: "ao", body: (to) => to.objectPaths(paths) };
}

/** Reads the value of an item. Answer: `(oayays)`, see {@linkcode secretValue}. */
export function getSecret(path: string, sessionPath: string): MethodCall {
  return { ...itemCall(path, "GetSecret"), signature: "o", body: (to) => to.string(sessionPath) };
}

/** Deletes an item. Answer: `o`, a prompt. */
export function deleteItem(path: string): MethodCall {
  return itemCall(path, "Delete");
}

/** The decrypted value in the answer of `GetSecret`. */
export function secretValue(answer: Reader, session: SecretSession): string {
  answer.objectPath();
  const [initial, sealed] = [answer.byteArray(), answer.byteArray()];
  answer.string();
  answer.end();
  const value = session.open(initial, sealed);
  try {
    return busText(value);
  } finally {
    value.fill(0);
  }
}

/** Replaces the value of an item. Answer: nothing. */
export function setSecret(path: string, secret: (to: Writer) => void): MethodCall {
  return { ...itemCall(path, "SetSecret"), signature: "(oayays)", body: secret };
}

/** Creates an item in a collection. Answer: `oo`, the item and a prompt. */
export function createItem(
  collection: string,
  { service, account }: ItemName,
  secret: (to: Writer) => void,
): MethodCall {
  const label = `keyring:${account}@${service}`;
  return {
    destination: SECRETS,
    path: collection,
    interface: `${INTERFACE}.Collection`,
    member: "CreateItem",
    signature: "a{sv}(oayays)b",
    body: (to) => {
      to.structs([
        (of) => of.string(`${INTERFACE}.Item.Label`).signature("s").string(label),
        (of) =>
          writeAttributes(
            of.string(`${INTERFACE}.Item.Attributes`).signature("a{ss}"),
            [["service", service], ["username", account]],
          ),
      ]);
      secret(to.align(8));
      to.boolean(true);
    },
  };
}

/** Writes a value as the specification's `Secret`, encrypted for the session. */
export function writeSecret(session: SecretSession, sessionPath: string, value: string) {
  return (to: Writer): void => {
    const bytes = new TextEncoder().encode(value);
    const { initial, sealed } = session.seal(bytes);
    bytes.fill(0);
    to.string(sessionPath).byteArray(initial).byteArray(sealed).string(CONTENT_TYPE);
  };
}

/** Shows a prompt to the user; it ends with the signal `Completed`. Answer: nothing. */
export function showPrompt(path: string): MethodCall {
  const of = { destination: SECRETS, path, interface: `${INTERFACE}.Prompt` };
  return { ...of, member: "Prompt", ...strings("") };
}

/** The rule by which the bus passes on the end of a prompt. */
export function promptRule(path: string): string {
  return `type='signal',interface='${INTERFACE}.Prompt',member='Completed',path='${path}'`;
}

/** Reads a property of a collection. Answer: `v`. */
export function collectionProperty(path: string, name: "Label" | "Locked"): MethodCall {
  return property(path, `${INTERFACE}.Collection`, name);
}

/** Reads the paths of all collections. Answer: `v` of `ao`. */
export const COLLECTIONS = property(SERVICE_PATH, `${INTERFACE}.Service`, "Collections");

function property(path: string, of: string, name: string): MethodCall {
  return {
    destination: SECRETS,
    path,
    interface: "org.freedesktop.DBus.Properties",
    member: "Get",
    ...strings(of, name),
  };
}

function service(member: string): MethodCall {
  return {
    destination: SECRETS,
    path: SERVICE_PATH,
    interface: `${INTERFACE}.Service`,
    member,
  };
}

function itemCall(path: string, member: string): MethodCall {
  return { destination: SECRETS, path, interface: `${INTERFACE}.Item`, member };
}

function writeAttributes(to: Writer, attributes: readonly (readonly [string, string])[]): void {
  to.structs(attributes.map(([name, value]) => (of) => of.string(name).string(value)));
}

/** The algorithm's name in the Secret Service specification. */
const ALGORITHM = "dh-ietf1024-sha256-aes128-cbc-pkcs7";

// RFC 2409 §6.2.
const PRIME = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74" +
  "020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437" +
  "4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed" +
  "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff";
const PRIME_BYTES = PRIME.length / 2;
const GENERATOR = 2;
// Twice the group's strength would do (NIST SP 800-56A, 5.6.1.1.1), which is 80 bits. One as long as the prime, the
// runtime's own choice, takes four times as long, twice.
const PRIVATE_BYTES = 32;
const HASH = "sha256";
const KEY_BYTES = 16;

/**
 * The key that encrypts values on the bus, negotiated for each connection: whoever watches the bus does not see them.
 */
export class SecretSession implements Disposable {
  readonly #exchange = createDiffieHellman(PRIME, "hex", GENERATOR);
  /** The key to send to the service. */
  readonly publicKey: Uint8Array;
  #key: Uint8Array | undefined;

  constructor() {
    this.#exchange.setPrivateKey(randomBytes(PRIVATE_BYTES));
    // Of the private key that is there.
    this.publicKey = this.#exchange.generateKeys();
  }

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
