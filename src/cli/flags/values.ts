import { InvalidArgumentError } from "commander";
import { type Head, readHead } from "../../audit/events.ts";
import { parseDuration, parseInstant } from "../../core/clock.ts";
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

/** A head of the audit log. */
export function head(text: string): Head {
  const read = readHead(text);
  if (read !== null) return read;
  throw new InvalidArgumentError("Write it as `audit verify` printed it, SEQ:HASH.");
}

/** Milliseconds since the epoch: a duration counts back from now. */
export function instant(text: string): number {
  if (/^\d+[smhd]/.test(text)) return Date.now() - duration(text) * 1000;
  const parsed = parseInstant(text);
  if (!Number.isNaN(parsed)) return parsed;
  throw new InvalidArgumentError("Write 24h, 2026-11-23 or 2026-11-23T03:00:00Z.");
}

/** A time of day, by the clock of this machine (its time zone). */
export function timeOfDay(text: string): { hour: number; minute: number } {
  const [, hour, minute] = TIME_OF_DAY.exec(text) ?? [];
  if (minute !== undefined) return { hour: Number(hour), minute: Number(minute) };
  throw new InvalidArgumentError("Write a time of day, in local time, as 03:00.");
}

const TIME_OF_DAY = /^([01]?\d|2[0-3]):([0-5]\d)$/;

// In an hour that the clocks skip, the same minute of the next hour; in a repeated hour, the first.
function nextTime({ hour, minute }: { hour: number; minute: number }): number {
  const now = new Date();
  const on = (days: number) =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour, minute).getTime();
  return on(0) > now.getTime() ? on(0) : on(1);
}

/**
 * A future time, in milliseconds since the epoch: a duration counts from now, a time of day is the next such local time.
 */
export function moment(text: string): number {
  if (/^\d+:/.test(text)) return nextTime(timeOfDay(text));
  if (/^\d+[smhd]/.test(text)) return Date.now() + duration(text) * 1000;
  if (!/^\d{4}-/.test(text)) {
    throw new InvalidArgumentError(
      "Write 30m (from now), 03:00 (the next, local time), or a date and time as RFC 3339 has them.",
    );
  }
  const at = instant(text);
  if (at >= Date.now()) return at;
  throw new InvalidArgumentError("That time has passed.");
}

/** An issuer (OpenID Connect Discovery 1.0 §3): kept as it is written, since verifiers compare it with tokens. */
export function issuer(text: string): string {
  const url = /^https?:\/\/[!-~]+$/.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && !/[?#]/.test(text) && url.username + url.password === "") return text;
  throw new InvalidArgumentError("Write https://auth.example.com, without a query.");
}

/** The mode of a socket. It is never open to all users, since clients can check tokens and log in. */
export function socketMode(text: string): number {
  if (/^0?6[0246]0$/.test(text)) return parseInt(text, 8);
  throw new InvalidArgumentError("Write 0600, 0620, 0640 or 0660: it cannot be open to all users.");
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

/** The number of an audit row; 0 is before the first one. */
export function rowNumber(text: string): number {
  return text === "0" ? 0 : count(text);
}

// Each thread has its own JavaScript engine; more than the cores only use memory.
/** How many threads may answer requests. */
export const MOST_WORKERS = 64;

/** How many threads answer requests. */
export function workers(text: string): number {
  if (/^[1-9]\d?$/.test(text) && Number(text) <= MOST_WORKERS) return Number(text);
  throw new InvalidArgumentError(`Write a whole number from 1 to ${MOST_WORKERS}.`);
}

/** Lifetime of a token, in seconds, at least 1. */
export function lifetime(text: string): number {
  const seconds = duration(text);
  if (seconds > 0) return seconds;
  throw new InvalidArgumentError("Write at least 1s.");
}
