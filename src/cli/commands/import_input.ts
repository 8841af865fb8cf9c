import { isRekeyError, usageError } from "../../core/errors.ts";
import { isThere } from "../../files/files.ts";
import { readInput } from "../../files/input_files.ts";
import { decodeText } from "../../secret/import/imported.ts";
import {
  bytesSource,
  derSource,
  keySource,
  type Source,
  sourceOf,
} from "../../secret/import/source.ts";
import { variable as environmentVariable } from "../context.ts";
import type { Output } from "../output.ts";
import { passphraseIn } from "../passphrase_file.ts";
import { askHidden, readStdin, readStdinBytes } from "../terminal.ts";
import type { ImportFlags } from "./import_flags.ts";

// In bytes. Several patterns look through all of it, and through what it may encode.
const LONGEST_INPUT = 2 ** 18;
const LONGEST_TOKEN = 65_536;

/** What the input of `rekey import` is. @throws {RekeyError} `usage` for what is no secret. */
export function sourceIn(data: Uint8Array, flags: ImportFlags, output: Output): Source {
  const { encoding, checkToken, literal, name, kid, passphraseFile } = flags;
  const options = { literal, name, kid, passphrase: () => passphraseOf(passphraseFile, output) };
  const text = isText(data) ? decodeText(data) : undefined;
  if (!literal && (text === undefined || encoding === "bytes")) {
    const key = text === undefined ? derSource(data, options) : keySource(text, options);
    if (key !== undefined) return key;
  }
  // Input that is not text is a binary key; the token proves it.
  if (encoding === "bytes" || (checkToken !== undefined && text === undefined)) {
    return bytesSource(data);
  }
  if (!literal && text !== undefined) refusePath(text);
  return sourceOf(text ?? decodeText(data), options);
}

function passphraseOf(file: string | undefined, output: Output): string {
  if (file !== undefined) return passphraseIn(file, output);
  if (Deno.stdin.isTerminal()) return askHidden("Passphrase of the private key");
  throw usageError(
    "Cannot import the private key: it is encrypted",
    "Give its passphrase with --passphrase-file",
  );
}

function isText(data: Uint8Array): boolean {
  try {
    decodeText(data);
    return true;
  } catch (error) {
    if (isRekeyError(error)) return false;
    throw error;
  }
}

// The longest name of a file, in bytes; signed tokens are rarely shorter.
const LONGEST_NAME = 255;

/** A token as `verify` takes it, or a file, since arguments are visible in process lists. */
export function tokenOf(given: string): string {
  if (given === "-") return readStdin(LONGEST_TOKEN);
  if (!given.startsWith("@")) {
    if (!isFile(given)) return given;
    throw usageError(
      "Cannot use that as the token: it is a file name",
      "Write --check-token @FILE",
    );
  }
  const data = readInput(given.slice(1));
  if (data !== undefined) return new TextDecoder().decode(data).trim();
  throw usageError(
    "Cannot read the token: the file does not exist",
    "Write --check-token @FILE, or - for stdin",
  );
}

// A variable often holds the path of the file with the secret.
function refusePath(text: string): void {
  const path = text.trim();
  if (!/^(\/|~\/|\.{1,2}\/|[A-Za-z]:[\\/])[^\n]{1,1000}$/.test(path)) return;
  if (isFile(path)) {
    throw usageError("Cannot import the value: it is the path of a file", "Name it with --file");
  }
}

/** Whether a value is the path of a file. No error quotes it: it may be a secret or a token. */
function isFile(value: string): boolean {
  const bytesOf = (name: string) => new TextEncoder().encode(name).length;
  if (value.split(/[\\/]/).some((name) => bytesOf(name) > LONGEST_NAME)) return false;
  try {
    return isThere(value);
  } catch {
    throw usageError(
      "Cannot use the value: it looks like a path, and cannot be looked at",
      "Name a file with --file or @FILE; --literal imports the value as it is",
    );
  }
}

/** The bytes of the input, and where they come from. @throws {RekeyError} `usage` when they cannot be had, or are too many. */
export function input(flags: ImportFlags): Input {
  const found = inputOf(flags);
  if (found.data.length <= LONGEST_INPUT) return found;
  throw usageError(
    `Cannot import from ${found.origin}: it has more than ${LONGEST_INPUT} bytes`,
    "Give the part with the secret alone",
  );
}

interface Input {
  readonly data: Uint8Array;
  readonly origin: string;
}

function inputOf({ fromEnv, file }: ImportFlags): Input {
  if (fromEnv !== undefined) {
    const value = variable(fromEnv);
    return { data: new TextEncoder().encode(value), origin: "an environment variable" };
  }
  if (file !== undefined) {
    const data = readInput(file);
    if (data !== undefined) return { data, origin: "a file" };
    throw usageError("Cannot import the file: it does not exist", "Name another one with --file");
  }
  if (Deno.stdin.isTerminal()) {
    throw usageError(
      "Cannot import from a terminal, which would show the secret",
      "Use --from-env or --file, or pipe it in",
    );
  }
  return { data: readStdinBytes(LONGEST_INPUT), origin: "stdin" };
}

function variable(name: string): string {
  const plain = /^[A-Za-z_]\w{0,127}$/.test(name);
  const value = plain ? environmentVariable(name) : undefined;
  if (value !== undefined) return value;
  // The name is not shown: it may be the secret, given by mistake.
  throw usageError(
    "Cannot import the environment variable: it is not set",
    "--from-env takes the name of a variable",
  );
}
