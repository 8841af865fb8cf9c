import { constants, userInfo } from "node:os";
import { become, dieOf, ignore, isIgnored, isInForeground, mayExecute } from "./libc.ts";
import {
  type Identities,
  kill,
  PIECE,
  type ProcessControl,
  type Programs,
  type Streams,
  type TakeSignal,
} from "../system.ts";
import { Buffer } from "node:buffer";
import { quotedWord, shell, shellToStderr } from "./basics.ts";
import { join } from "node:path";

const TAKEN = ["SIGHUP", "SIGINT", "SIGTERM"] as const;

const heeded = new Map<Deno.Signal, () => void>();

/**
 * A limit on the size of files (ulimit -f) is to be an error in words and not the end in mid-write. Signals that were
 * ignored when rekey was started, as nohup does, stay ignored: Deno takes some for itself as soon as a program listens
 * for any.
 */
function begin(): void {
  const ignored = TAKEN.filter((signal) => isIgnored(constants.signals[signal]));
  Deno.addSignalListener("SIGXFSZ", () => {});
  for (const signal of ignored) heeded.set(signal, ignore(constants.signals[signal]));
}

/** See {@linkcode ProcessControl.heed}. */
function heed(signal: Deno.Signal, take: () => void): void {
  Deno.addSignalListener(signal, take);
  // Deno has it already, and does not look whether the system still gives it the signal.
  heeded.get(signal)?.();
}

/** Signals that are passed on to the program. What stops a process (TSTP, TTIN, TTOU) the terminal does to both. */
const PASSED = [
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGWINCH",
  "SIGCONT",
] as const satisfies readonly Deno.Signal[];

// A terminal sends these to all processes in its foreground, the program among them.
const OF_TERMINALS: readonly Deno.Signal[] = ["SIGINT", "SIGQUIT", "SIGWINCH", "SIGCONT"];

/** See {@linkcode Programs.onSignals}. */
function onSignals(take: TakeSignal): void {
  for (const signal of PASSED.filter((signal) => !isIgnored(constants.signals[signal]))) {
    Deno.addSignalListener(signal, () => {
      take(signal, OF_TERMINALS.includes(signal) && isInForeground());
    });
  }
}

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

/** Processes as POSIX has them. */
export function unixProcesses(identities: Identities): ProcessControl {
  return {
    begin,
    heed,
    shell,
    shellToStderr,
    quoted: quotedWord,
    stopping: ["SIGINT", "SIGTERM", "SIGHUP"],
    reloading: "SIGHUP",
    endTree: (child) => Promise.resolve(kill(child, "SIGKILL")),
    identities,
    account,
  };
}

function account(): string {
  try {
    return userInfo().username;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    // A user id without a name, as containers have it.
    return `uid ${Deno.uid()}`;
  }
}

/** Programs as POSIX has them. */
export const unixPrograms: Programs = {
  // As a shell does without PATH.
  usualFolders: "/usr/bin:/bin",
  placesOf,
  // Where the system cannot be asked, starting it tells.
  mayExecute: (path) => mayExecute(path) ?? true,
  needs: "A file needs the permission to be executed, and a script an interpreter that exists (#!)",
  become,
  sendable: PASSED,
  // What it has started is its own to end.
  keepTogether: (child) => ({
    ask() {
      kill(child, "SIGTERM");
      return true;
    },
    end() {},
  }),
  onSignals,
  dieOf,
};

function placesOf(name: string, folders: string): string[] {
  if (name === "" || name.includes("/")) return [name];
  // An empty part of PATH is the current folder.
  return folders.split(":").map((folder) => join(folder || ".", name));
}
