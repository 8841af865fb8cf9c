import { InvalidArgumentError } from "commander";
import { parseDuration } from "../../core/clock.ts";
import { ALGORITHMS } from "../../core/algorithms.ts";
import { LEAST_BYTES, MOST_BYTES } from "../../core/limits.ts";
import { isRekeyError } from "../../core/errors.ts";

// Parsers of flag values.

/** Values of flags that take one of a few. */
export const CHOICES = {
  store: ["auto", "keyring", "database", "etcd"],
  location: ["keyring", "database", "etcd"],
  mirror: ["auto", "on", "off"],
  alg: ALGORITHMS,
  keyForm: ["text", "raw"],
  encoding: ["text", "base64", "base64url", "hex", "bytes"],
};

/** Seconds. */
export function duration(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new InvalidArgumentError(isRekeyError(error) ? error.hint ?? "" : String(error));
  }
}

/** A non-empty text. */
export function nonEmpty(text: string): string {
  if (text !== "") return text;
  throw new InvalidArgumentError("It must not be empty.");
}

/** A text of limited length, since it is stored permanently and on every machine of a fleet. */
export function atMost(characters: number): (text: string) => string {
  return (text) => {
    if (text.length <= characters) return text;
    throw new InvalidArgumentError(`It can have at most ${characters} characters.`);
  };
}

/** Size of a new secret, in bytes. */
export function secretBytes(text: string): number {
  const bytes = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (bytes >= LEAST_BYTES && bytes <= MOST_BYTES) return bytes;
  throw new InvalidArgumentError(`Write a whole number from ${LEAST_BYTES} to ${MOST_BYTES}.`);
}

/** Size of a new RSA key, in bits. */
export function rsaBits(text: string): number {
  if (["2048", "3072", "4096"].includes(text)) return Number(text);
  throw new InvalidArgumentError("Write 2048, 3072 or 4096.");
}

/** A whole number from 1 on. */
export function count(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Write a whole number from 1 on.");
}
