import { isRekeyError, RekeyError } from "../core/errors.ts";
import { LONGEST_INPUT, readFileChunks, readFileIfThere } from "./files.ts";
import { SYSTEM } from "../system/system.ts";
import { isUtf16, joinPieces, utf8, UTF_16 } from "../core/encoding.ts";

/** How long to wait for the first and for each further chunk, in milliseconds. */
interface Timeouts {
  readonly first: number;
  readonly next: number;
}

// The writer of a named pipe may still have to start; one that has opened a pipe may ask a person for a passphrase.
const PIPE_TIMEOUTS: Timeouts = { first: 10_000, next: 60_000 };
const DESCRIPTOR_TIMEOUTS: Timeouts = { first: 60_000, next: 60_000 };

/**
 * Reads an input that the operator named: a regular file, a pipe (`<(…)` of a shell, `mkfifo`), an open descriptor
 * (`/dev/stdin`, `/dev/fd/3`), or `-` for stdin. A pipe can be read once.
 *
 * @returns `undefined` if it does not exist.
 * @throws {RekeyError} `usage` if a pipe is silent too long, or it is another kind of file, too long or not readable.
 */
export function readInput(path: string): Uint8Array | undefined {
  if (!isStream(path)) return readFile(path);
  const chunks: Uint8Array[] = [];
  let length = 0;
  readStream(path, (chunk) => {
    length += chunk.length;
    if (length > LONGEST_INPUT) throw refused(path, `it is longer than ${LONGEST_INPUT} bytes`);
    chunks.push(chunk);
  });
  return joinPieces(chunks);
}

// What is wrong with a file that the operator named is no trouble with the store.
function readFile(path: string): Uint8Array | undefined {
  try {
    return readFileIfThere(path);
  } catch (error) {
    if (!isRekeyError(error, "database_unusable")) throw error;
    const { message, hint = "Name another file", cause } = error;
    throw new RekeyError("usage", message, { hint, cause });
  }
}

/**
 * Reads an input as UTF-8.
 *
 * @throws {RekeyError} as {@linkcode readInput} does; `usage` if it does not exist or is not UTF-8.
 */
export function readInputText(path: string): string {
  const bytes = readInput(path);
  if (bytes === undefined) {
    throw new RekeyError("usage", `Cannot read ${path}: it does not exist`, {
      hint: "Name another file",
    });
  }
  try {
    return utf8(bytes);
  } catch {
    const is = isUtf16(bytes) ? UTF_16 : "it is not UTF-8 text";
    throw new RekeyError("usage", `Cannot use ${path}: ${is}`, {
      hint: `Name another file; ${SYSTEM.advice.convert}`,
    });
  } finally {
    bytes.fill(0);
  }
}

/** Longest line of {@linkcode readInputLines}, in bytes. */
const LONGEST_LINE = 2 ** 16;

/**
 * Reads an input of any length line by line.
 *
 * @param take gets each line's bytes without line feed, in memory that the next line overwrites.
 * @throws {RekeyError} as {@linkcode readInput} does; `usage` if it does not exist, or a line is too long.
 */
export function readInputLines(path: string, take: (line: Uint8Array) => void): void {
  let rest = new Uint8Array();
  const takeChunk = (chunk: Uint8Array) => {
    const bytes = joinPieces([rest, chunk]);
    let start = 0;
    for (let end; (end = bytes.indexOf(10, start)) >= 0; start = end + 1) {
      take(bytes.subarray(start, end));
    }
    rest = bytes.slice(start);
    if (rest.length > LONGEST_LINE) throw refused(path, "a line of it is too long");
  };
  if (isStream(path)) readStream(path, takeChunk);
  else readFileChunks(path, takeChunk);
  if (rest.length > 0) take(rest);
}

/** Whether an input is stdin, an open descriptor or a pipe, which can be read once. */
export function isStream(path: string): boolean {
  if (descriptorOf(path) !== undefined) return true;
  try {
    return Deno.statSync(path).isFifo === true;
  } catch {
    // Reading it as a file reports the error.
    return false;
  }
}

/**
 * Reads a stream in chunks.
 *
 * @throws {RekeyError} `usage` if it is silent too long or cannot be read; and what `take` throws.
 */
export function readStream(path: string, take: (chunk: Uint8Array) => void): void {
  const own = descriptorOf(path);
  const shown = own === 0 ? "stdin" : path;
  if (own !== undefined && SYSTEM.streams.isTerminal(own)) throw refused(shown, "it is a terminal");
  const result = own === undefined
    ? SYSTEM.streams.withDescriptor(path, (fd) => readChunks(fd, PIPE_TIMEOUTS, take)) ?? "failed"
    : readChunks(own, DESCRIPTOR_TIMEOUTS, take);
  if (result === "timeout") throw refused(shown, "nothing comes out of it");
  if (result === "failed") throw refused(shown, "it cannot be read");
}

function readChunks(
  descriptor: number,
  timeouts: Timeouts,
  take: (chunk: Uint8Array) => void,
): "ended" | "timeout" | "failed" {
  for (let timeout = timeouts.first;; timeout = timeouts.next) {
    const chunk = SYSTEM.streams.next(descriptor, timeout);
    if (typeof chunk === "string") return chunk;
    if (chunk.length === 0) return "ended";
    take(chunk);
  }
}

/** The number of a descriptor of this process, from the names that shells use. */
function descriptorOf(path: string): number | undefined {
  if (path === "-" || path === "/dev/stdin") return 0;
  const [, number] = /^\/(?:dev|proc\/self)\/fd\/(\d{1,6})$/.exec(path) ?? [];
  return number === undefined ? undefined : Number(number);
}

function refused(path: string, why: string): RekeyError {
  return new RekeyError("usage", `Cannot read ${path}: ${why}`, {
    hint: "Name a file, or a pipe that a program writes to",
  });
}
