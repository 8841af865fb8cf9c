import { RekeyError } from "../core/errors.ts";
import { isUtf16, utf8, UTF_16 } from "../core/text.ts";
import { HERE } from "../system/here.ts";
import { forEachPiece, type Patience } from "./file_moves.ts";
import { readFileIfThere } from "./private_files.ts";

/** Bytes that are read of an input: far more than any needs, far less than a machine has. */
const LONGEST = 2 ** 24;

// Whoever opens a named pipe may have to be started first; whoever has opened one may ask a person for a passphrase.
const PATIENCE: Patience = { first: 10_000, next: 60_000 };
const OF_OPEN: Patience = { first: 60_000, next: 60_000 };

/**
 * Reads what the operator has named as an input: a regular file, a pipe (`<(…)` of a shell, `mkfifo`), an open descriptor
 * (`/dev/stdin`, `/dev/fd/3`), or `-` for stdin. Each pipe can be read once.
 *
 * @returns `undefined` when there is none of that name.
 * @throws {RekeyError} `usage` when nothing comes out of a pipe in time, `database_unusable` for what is none of these or
 * too long.
 */
export function readInput(path: string): Uint8Array | undefined {
  if (!isStream(path)) return readFileIfThere(path, LONGEST);
  const pieces: Uint8Array[] = [];
  let length = 0;
  streamed(path, (piece) => {
    length += piece.length;
    if (length > LONGEST) throw refused(path, `more than ${LONGEST} bytes come out of it`);
    pieces.push(piece);
  });
  const bytes = new Uint8Array(length);
  pieces.reduce((at, piece) => (bytes.set(piece, at), at + piece.length), 0);
  pieces.forEach((piece) => piece.fill(0));
  return bytes;
}

/**
 * The text of an input.
 *
 * @throws {RekeyError} as {@linkcode readInput} does; `usage` when it is not there, or no UTF-8: what cannot be read is not
 * replaced by something else.
 */
export function readInputText(path: string): string {
  const bytes = readInput(path);
  if (bytes === undefined) {
    throw new RekeyError("usage", `Cannot read ${path}: it is not there`, {
      hint: "Name another file",
    });
  }
  try {
    return utf8(bytes);
  } catch {
    const is = isUtf16(bytes) ? UTF_16 : "it is no text, or not UTF-8";
    throw new RekeyError("usage", `Cannot use ${path}: ${is}`, {
      hint: `Name another file; ${HERE.advice.convert}`,
    });
  } finally {
    bytes.fill(0);
  }
}

/** Whether something is read from its beginning to its end, once: stdin, an open descriptor, or a pipe. */
export function isStream(path: string): boolean {
  if (descriptorOf(path) !== undefined) return true;
  try {
    return Deno.statSync(path).isFifo === true;
  } catch {
    // What is wrong with it is said by whoever reads it as a file.
    return false;
  }
}

/**
 * Reads a stream piece by piece.
 *
 * @throws {RekeyError} `usage` when nothing comes in time, or it cannot be read; and what `take` throws.
 */
export function streamed(path: string, take: (piece: Uint8Array) => void): void {
  const own = descriptorOf(path);
  const shown = own === 0 ? "stdin" : path;
  if (own !== undefined && HERE.streams.isTerminal(own)) throw refused(shown, "it is a terminal");
  const outcome = own === undefined
    ? HERE.streams.withDescriptor(path, (fd) => forEachPiece(fd, PATIENCE, take)) ?? "failed"
    : forEachPiece(own, OF_OPEN, take);
  if (outcome === "late") throw refused(shown, "nothing comes out of it");
  if (outcome === "failed") throw refused(shown, "it cannot be read");
}

/** Of this process, as a shell names them. */
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
