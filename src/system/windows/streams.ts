import { readSync } from "node:fs";
import { PIECE, type Streams } from "../streams.ts";

const STDIN_HANDLE = -10;
const EVERY_MS = 5;

function loadLibrary() {
  return Deno.dlopen("kernel32.dll", {
    GetConsoleMode: { parameters: ["usize", "buffer"], result: "i32" },
    GetStdHandle: { parameters: ["i32"], result: "usize" },
    PeekNamedPipe: {
      parameters: ["usize", "pointer", "u32", "pointer", "buffer", "pointer"],
      result: "i32",
    },
  }).symbols;
}

let loaded: ReturnType<typeof loadLibrary> | undefined;

function calls() {
  return loaded ??= loadLibrary();
}

/** Whether a read of stdin would wait: it is a pipe with nothing in it whose other end is open. */
function isEmptyPipe(): boolean {
  const { GetStdHandle, PeekNamedPipe } = calls();
  const there = new Uint32Array(1);
  const told = PeekNamedPipe(GetStdHandle(STDIN_HANDLE), null, 0, null, there, null) !== 0;
  return told && there[0] === 0;
}

/** Of what is open only stdin is known by a number here, and pipes are no files in folders. */
export const windowsStreams: Streams = {
  isTerminal(descriptor) {
    const { GetStdHandle, GetConsoleMode } = calls();
    return descriptor === 0 && GetConsoleMode(GetStdHandle(STDIN_HANDLE), new Uint32Array(1)) !== 0;
  },

  withDescriptor: () => undefined,

  next(descriptor, waitMs) {
    for (const end = Date.now() + waitMs; descriptor === 0 && isEmptyPipe();) {
      if (Date.now() >= end) return "late";
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, EVERY_MS);
    }
    const buffer = new Uint8Array(PIECE);
    try {
      const piece = buffer.slice(0, readSync(descriptor, buffer));
      buffer.fill(0);
      return piece;
    } catch {
      return "failed";
    }
  },
};
