import { renameSync, rmSync } from "node:fs";
import { posix } from "node:path";
import { CHUNK_BYTES, type FileSystem, type Streams } from "../files.ts";
import type { Paths, UserEnvironment } from "../paths.ts";
import { LIBC, zeroTerminated } from "./libc.ts";

/** POSIX path syntax. */
export const unixPaths = {
  root: "/",
  delimiter: posix.delimiter,
  join: posix.join,
  isWhole: posix.isAbsolute,
  faultOf: () => undefined,
  faultOfName: () => undefined,
} satisfies Partial<Paths>;

/** A folder in the home folder. */
export function inHome({ home }: UserEnvironment, folder: string): string | undefined {
  return home === undefined ? undefined : posix.join(home, folder);
}

/** Renaming and deleting. */
export const unixFiles: FileSystem = {
  canMoveOpenFiles: true,
  rename: renameSync,
  remove: (path) => rmSync(path, { force: true }),
  removeFolder: (path) => rmSync(path, { force: true, recursive: true }),
  isReadOnly: () => false,
  isLockedByOthers: () => undefined,
};

const O_RDONLY = 0;
const POLLIN = 1;

function loadLibc() {
  return Deno.dlopen(LIBC!, {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
    read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
    isatty: { parameters: ["i32"], result: "i32" },
  }).symbols;
}

/** Reads with the C library, which is loaded at the first call. */
export class UnixStreams implements Streams {
  #loaded: ReturnType<typeof loadLibc> | undefined;

  /** @param openFlags `O_NONBLOCK` and `O_CLOEXEC` of the system. */
  constructor(private readonly openFlags: number) {}

  isTerminal(descriptor: number): boolean {
    return this.#libc.isatty(descriptor) === 1;
  }

  withDescriptor<T>(path: string, use: (descriptor: number) => T): T | undefined {
    const descriptor = this.#libc.open(zeroTerminated(path), O_RDONLY | this.openFlags);
    if (descriptor < 0) return undefined;
    try {
      return use(descriptor);
    } finally {
      this.#libc.close(descriptor);
    }
  }

  next(descriptor: number, timeoutMs: number): Uint8Array | "timeout" | "failed" {
    // struct pollfd: int fd, short events, short revents.
    const wanted = new Int32Array([descriptor, POLLIN]);
    const ready = this.#libc.poll(wanted, 1n, timeoutMs);
    if (ready === 0) return "timeout";
    const buffer = new Uint8Array(CHUNK_BYTES);
    const length = Number(this.#libc.read(descriptor, buffer, BigInt(CHUNK_BYTES)));
    if (length < 0) return "failed";
    const chunk = buffer.slice(0, length);
    buffer.fill(0);
    return chunk;
  }

  get #libc() {
    return this.#loaded ??= loadLibc();
  }
}
