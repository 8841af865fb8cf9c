import { InvalidArgumentError } from "commander";
import { duration } from "./values.ts";

// Parsers of flag values of `serve`.

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
