import { Buffer } from "node:buffer";
import type { DeliveredKey } from "./key_set.ts";

// Programs quote their configuration in errors, in whole or in part.
const WINDOW = 8;

/**
 * What must not be in a message: keys in any encoding, and tokens. A text that shares eight characters with one of them
 * is not shown at all.
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

  /** The last line of an output, for a message; `undefined` if there is none that may be shown. */
  lastLine(output: string): string | undefined {
    const line = output.trim().split("\n").at(-1)!.trim().slice(0, LONGEST_LINE);
    return line === "" || this.#holds(output) ? undefined : line;
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

function spellingsOf({ secret, keyForm }: DeliveredKey): string[] {
  const key = Buffer.from(secret.hmacKey(keyForm));
  const encodings = (["base64", "base64url", "hex"] as const).map((name) => key.toString(name));
  const others = [key.toString("hex").toUpperCase(), key.toString("latin1")];
  key.fill(0);
  return [secret.reveal(), ...encodings, ...others];
}

const LONGEST_LINE = 200;
