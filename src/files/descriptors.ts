import { Buffer } from "node:buffer";
import { HERE } from "../system/here.ts";
import { LIBC } from "../system/libc.ts";

// What the runtime does not let a program do: wait for a pipe for a bounded time, and read below /proc.

const O_RDONLY = 0;
const POLLIN = 1;
// Of <fcntl.h>: O_NONBLOCK and O_CLOEXEC.
const NO_WAITING = { linux: 0o4000 | 0o2000000, darwin: 0x4 | 0x1000000, windows: 0 };

/** Bytes of a read that is tried: what a pipe holds. */
const PIECE = 65_536;

function loadLibrary() {
  if (LIBC === undefined) return undefined;
  return Deno.dlopen(LIBC, {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
    read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
    isatty: { parameters: ["i32"], result: "i32" },
  }).symbols;
}

let loaded: ReturnType<typeof loadLibrary>;

function libc() {
  return loaded ??= loadLibrary();
}

/** Whether a descriptor is a terminal. */
export function isTerminal(descriptor: number): boolean {
  return libc()?.isatty(descriptor) === 1;
}

/**
 * Opens a file for reading without waiting for the other end, if it is a pipe, and closes it after use.
 *
 * @returns what `use` does; `undefined` when it cannot be opened, or the system is none whose calls are known.
 */
export function withDescriptor<T>(path: string, use: (descriptor: number) => T): T | undefined {
  const descriptor = libc()?.open(Buffer.from(`${path}\0`), O_RDONLY | NO_WAITING[HERE.os]);
  if (descriptor === undefined || descriptor < 0) return undefined;
  try {
    return use(descriptor);
  } finally {
    libc()!.close(descriptor);
  }
}

/** How long the first bytes may take, and all that come after others, in milliseconds. */
export interface Patience {
  readonly first: number;
  readonly next: number;
}

/**
 * Reads a descriptor to its end, piece by piece.
 *
 * @returns `late` when nothing came in time, `failed` when the system refused.
 */
export function forEachPiece(
  descriptor: number,
  patience: Patience,
  take: (piece: Uint8Array) => void,
): "ended" | "late" | "failed" {
  for (let wait = patience.first;; wait = patience.next) {
    const piece = next(descriptor, wait);
    if (typeof piece === "string") return piece;
    if (piece.length === 0) return "ended";
    take(piece);
  }
}

/** The next bytes; none at the end. */
function next(descriptor: number, waitMs: number): Uint8Array | "late" | "failed" {
  const library = libc();
  if (library === undefined) return "failed";
  // struct pollfd: int fd, short events, short revents.
  const wanted = new Int32Array([descriptor, POLLIN]);
  const ready = library.poll(wanted, 1n, waitMs);
  if (ready === 0) return "late";
  const buffer = new Uint8Array(PIECE);
  const length = Number(library.read(descriptor, buffer, BigInt(PIECE)));
  if (length < 0) return "failed";
  const piece = buffer.slice(0, length);
  buffer.fill(0);
  return piece;
}
