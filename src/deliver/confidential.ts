import { Buffer } from "node:buffer";
import type { KeyPair } from "../core/key_pair.ts";
import type { DeliveredKey } from "./key_set.ts";

// Programs quote their configuration in errors, in whole or in part.
const WINDOW = 8;

/** The private members of a JWK: RFC 7518 §6.2.2 and §6.3.2, RFC 8037 §2. */
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi"] as const;

/**
 * What must not be in a message: keys in any encoding, and tokens. A text that shares eight characters with one of them
 * is not shown at all. The public half of a key pair may be in a message.
 */
export class Confidential {
  readonly #parts = new Set<string>();
  // Looked at only when there is something to show, which is seldom.
  #keys: readonly DeliveredKey[];
  #texts: string[] = [];

  constructor(keys: readonly DeliveredKey[]) {
    this.#keys = keys;
  }

  /** Adds a text, such as a token. */
  add(text: string): void {
    this.#texts.push(text);
  }

  /**
   * The line of an output that says most, for a message: the last one that says that it is an error, else the last one.
   * `undefined` if there is none that may be shown.
   */
  tellingLine(output: string): string | undefined {
    const lines = output.split("\n").map((line) => line.trim())
      .filter((line) => line !== "" && !HASH.test(line) && !endsWithCredential(line));
    const line = lines.findLast((one) => /^error\b/i.test(one)) ?? lines.at(-1);
    return line === undefined || this.#holds(output) ? undefined : line.slice(0, LONGEST_LINE);
  }

  #holds(text: string): boolean {
    this.#learn();
    for (let at = 0; at < text.length; at++) {
      if (this.#parts.has(text.slice(at, at + WINDOW))) return true;
    }
    return false;
  }

  #learn(): void {
    for (const text of [...this.#keys.flatMap(spellingsOf), ...this.#texts]) {
      for (let at = 0; at + WINDOW <= text.length; at++) {
        this.#parts.add(text.slice(at, at + WINDOW));
      }
      if (text.length > 0 && text.length < WINDOW) this.#parts.add(text);
    }
    [this.#keys, this.#texts] = [[], []];
  }
}

const LONGEST_LINE = 200;

// What guesses can be tried on: rabbitmqctl ends its errors with its cookie's hash.
const HASH = /(cookie|password|passphrase)\W*hash|\$(2[abxy]|5|6|y|argon2\w*)\$/i;

// A credential of the program's own.
const CREDENTIAL = /(cookie|password|passphrase)["']?\s*[:=]\s*\S+$/i;
const LONGEST_NAME = "passphrase'=".length;

// Of the words before the last one only the ends: the pattern would look for the line's end again from each `password=`.
function endsWithCredential(line: string): boolean {
  const words = line.split(/\s+/);
  const last = words.pop();
  const before = words.slice(-2).map((word) => word.slice(-LONGEST_NAME));
  return CREDENTIAL.test([...before, last].join(" "));
}

function spellingsOf({ secret, keyForm }: DeliveredKey): string[] {
  const { pair } = secret;
  if (pair !== undefined) return privateNumbers(pair).flatMap(spellingsOfNumber);
  const key = Buffer.from(secret.hmacKey(keyForm));
  const all = [secret.reveal(), ...spellings(key)];
  key.fill(0);
  return all;
}

function privateNumbers({ privateKey }: KeyPair): Buffer[] {
  const jwk = privateKey.export({ format: "jwk" });
  return PRIVATE_MEMBERS.flatMap((name) => jwk[name] ?? [])
    .map((number) => Buffer.from(number, "base64url"));
}

// In DER, and so in a PEM of any kind, a number begins anywhere in a group of three bytes.
function spellingsOfNumber(number: Buffer): string[] {
  const others = [1, 2].map((at) => number.subarray(at))
    .flatMap((rest) => [rest.toString("base64"), rest.toString("base64url")]);
  const all = [...spellings(number), ...others];
  number.fill(0);
  return all;
}

// As a file, a dump of bytes (openssl, xxd) or a list of numbers (Erlang, Go, Python) has it.
function spellings(bytes: Buffer): string[] {
  const pairs = bytes.toString("hex").match(/../g) ?? [];
  const hex = [":", " ", ", 0x"].map((between) => pairs.join(between)).concat(pairs.join(""));
  return [
    ...(["base64", "base64url", "latin1"] as const).map((name) => bytes.toString(name)),
    ...hex.flatMap((text) => [text, text.toUpperCase()]),
    ...[",", ", ", " "].map((between) => bytes.join(between)),
  ];
}
