import { Buffer } from "node:buffer";
import { PIECE, type Streams } from "../streams.ts";

const O_RDONLY = 0;
const POLLIN = 1;

function loadLibrary(name: string) {
  return Deno.dlopen(name, {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
    read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
    isatty: { parameters: ["i32"], result: "i32" },
  }).symbols;
}

/** By calls of the C library, which is loaded for the first of them. */
export class UnixStreams implements Streams {
  #loaded: ReturnType<typeof loadLibrary> | undefined;

  /** @param noWaiting `O_NONBLOCK` and `O_CLOEXEC`, as the system's <fcntl.h> has them. */
  constructor(private readonly library: string, private readonly noWaiting: number) {}

  isTerminal(descriptor: number): boolean {
    return this.#libc.isatty(descriptor) === 1;
  }

  withDescriptor<T>(path: string, use: (descriptor: number) => T): T | undefined {
    const descriptor = this.#libc.open(Buffer.from(`${path}\0`), O_RDONLY | this.noWaiting);
    if (descriptor < 0) return undefined;
    try {
      return use(descriptor);
    } finally {
      this.#libc.close(descriptor);
    }
  }

  next(descriptor: number, waitMs: number): Uint8Array | "late" | "failed" {
    // struct pollfd: int fd, short events, short revents.
    const wanted = new Int32Array([descriptor, POLLIN]);
    const ready = this.#libc.poll(wanted, 1n, waitMs);
    if (ready === 0) return "late";
    const buffer = new Uint8Array(PIECE);
    const length = Number(this.#libc.read(descriptor, buffer, BigInt(PIECE)));
    if (length < 0) return "failed";
    const piece = buffer.slice(0, length);
    buffer.fill(0);
    return piece;
  }

  get #libc() {
    return this.#loaded ??= loadLibrary(this.library);
  }
}
