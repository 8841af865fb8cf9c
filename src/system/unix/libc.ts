import { constants } from "node:os";
import type { FileLack } from "../processes.ts";

/** The C library; `undefined` on Windows. A full path on macOS, whose loader also searches the working directory. */
export const LIBC = Deno.build.os === "windows"
  ? undefined
  : Deno.build.os === "darwin"
  ? "/usr/lib/libSystem.B.dylib"
  : "libc.so.6";

type Calls = Record<string, Deno.ForeignFunction>;
type Address = Deno.PointerObject<Deno.ForeignFunction>;

/**
 * Opens the C library for a few calls, and closes it after `use`. For a call that a library declares the runtime compiles
 * code, which costs a command more than the call itself, and 2 MB of the compiler's own code in memory; not for one by its
 * address.
 */
export function withLibc<Used extends Calls, T>(
  calls: Used,
  use: (libc: Deno.DynamicLibrary<Used>["symbols"]) => T,
): T {
  const addresses = Object.fromEntries(
    Object.keys(calls).map((name) => [name, { type: "pointer" } as const]),
  );
  const library = Deno.dlopen(LIBC!, addresses);
  try {
    const symbols = Object.entries(calls).map(([name, call]) => {
      const called = new Deno.UnsafeFnPointer(library.symbols[name] as Address, call);
      return [name, called.call.bind(called)];
    });
    return use(Object.fromEntries(symbols));
  } finally {
    library.close();
  }
}

/** A text as C has it, in UTF-8. */
export function zeroTerminated(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

const X_OK = 1;
const SIG_DFL = 0n;
const SIG_IGN = 1n;
const SIGPIPE = 13;
const O_RDONLY = 0;
// Larger than `struct sigaction` of any system; all begin with the handler.
const SIGACTION_BYTES = 512;
const POINTER_BYTES = BigUint64Array.BYTES_PER_ELEMENT;

/** Whether this process may execute a file; `undefined` without a C library. */
export function mayExecute(path: string): boolean | undefined {
  const result = load()?.symbols.access(zeroTerminated(path), X_OK);
  return result === undefined ? undefined : result === 0;
}

/** execv(3): the program keeps the process's id, environment and open files. It returns only if that fails. */
export function replaceProcess(path: string, argv: readonly string[]): void {
  const libc = load();
  // Programs inherit ignored signals, and the runtime ignores this one.
  libc?.symbols.signal(SIGPIPE, SIG_DFL);
  libc?.symbols.execv(zeroTerminated(path), vector(argv));
}

/** Those signals of a list that this process ignores. */
export function ignoredOf<Name extends keyof typeof constants.signals>(
  names: readonly Name[],
): Name[] {
  return withLibc({ sigaction: SIGACTION }, ({ sigaction }) =>
    names.filter((name) => {
      const current = new BigUint64Array(SIGACTION_BYTES / POINTER_BYTES);
      sigaction(constants.signals[name], null, current);
      return current[0] === SIG_IGN;
    }));
}

/** Makes this process ignore a signal. @returns restores what was set before. */
export function ignore(signal: number): () => void {
  const libc = load();
  const before = new BigUint64Array(SIGACTION_BYTES / POINTER_BYTES);
  libc?.symbols.sigaction(signal, null, before);
  libc?.symbols.signal(signal, SIG_IGN);
  return () => void libc?.symbols.sigaction(signal, before, null);
}

/** Whether this process is in the foreground of its terminal, which then sends signals to it and to its children. */
export function isInForeground(): boolean {
  const libc = load();
  if (libc === undefined) return false;
  const { open, close, tcgetpgrp, getpgrp } = libc.symbols;
  const terminal = open(zeroTerminated("/dev/tty"), O_RDONLY);
  if (terminal < 0) return false;
  const foreground = tcgetpgrp(terminal);
  close(terminal);
  return foreground === getpgrp();
}

/** Ends this process by a signal. It returns if that fails. */
export function dieOf(signal: number): void {
  const libc = load();
  // A listener would catch the signal, and some are ignored from the start.
  libc?.symbols.signal(signal, SIG_DFL);
  libc?.symbols.raise(signal);
}

function loadLibrary() {
  if (LIBC === undefined) return undefined;
  return Deno.dlopen(LIBC, {
    access: { parameters: ["buffer", "i32"], result: "i32" },
    execv: { parameters: ["buffer", "buffer"], result: "i32" },
    signal: { parameters: ["i32", "usize"], result: "usize" },
    sigaction: SIGACTION,
    raise: { parameters: ["i32"], result: "i32" },
    open: { parameters: ["buffer", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
    tcgetpgrp: { parameters: ["i32"], result: "i32" },
    getpgrp: { parameters: [], result: "i32" },
  });
}

const SIGACTION = { parameters: ["i32", "buffer", "buffer"], result: "i32" } as const;

let loaded: ReturnType<typeof loadLibrary>;

function load() {
  return loaded ??= loadLibrary();
}

// argv: pointers and strings in one block, so that the garbage collector frees none of them too early.
function vector(texts: readonly string[]): Uint8Array<ArrayBuffer> {
  const parts = texts.map(zeroTerminated);
  let end = (parts.length + 1) * POINTER_BYTES;
  const block = new Uint8Array(parts.reduce((sum, { length }) => sum + length, end));
  const pointers = new BigUint64Array(block.buffer, 0, parts.length);
  const start = Deno.UnsafePointer.value(Deno.UnsafePointer.of(block));
  parts.forEach((part, i) => {
    pointers[i] = start + BigInt(end);
    block.set(part, end);
    end += part.length;
  });
  return block;
}

/** The limit of open files of a system. */
export interface FileLimit {
  /** `RLIMIT_NOFILE` of <sys/resource.h>. */
  readonly resource: number;
  /** The highest limit that the system accepts. */
  readonly most: bigint;
}

const LIMIT_CALLS = {
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
} as const;

const LACK_CALLS = {
  getrlimit: LIMIT_CALLS.getrlimit,
  fcntl: { parameters: ["i32", "i32"], result: "i32" },
} as const;

// <fcntl.h>: its answer is FD_CLOEXEC for what this process has opened, and 0 for what it has inherited.
const F_GETFD = 1;
const STANDARD_FILES = 3;

/** See {@linkcode ProcessControl.lackOfFiles}. It opens no file. */
export function lackOfFiles(wanted: number, { resource }: FileLimit): FileLack | undefined {
  return orUndefined(() =>
    withLibc(LACK_CALLS, ({ getrlimit, fcntl }) => {
      const limits = new BigUint64Array(2);
      if (getrlimit(resource, limits) !== 0) return undefined;
      const limit = Number(limits[0]);
      let inherited = 0;
      // The limit is one for numbers: an inherited one may be above it.
      for (let fd = STANDARD_FILES; fd < limit && fd - inherited < wanted; fd++) {
        if (fcntl(fd, F_GETFD) === 0) inherited++;
      }
      if (limit - inherited >= wanted) return undefined;
      const some = inherited > 0 ? `, ${inherited} of them inherited` : "";
      return { why: `this process may have only ${limit} files open${some}`, inherited };
    })
  );
}

/** See {@linkcode Serving.raiseFileLimit}. A failure is ignored: the server then accepts fewer connections. */
export function raiseFileLimit({ resource, most }: FileLimit): void {
  orUndefined(() =>
    withLibc(LIMIT_CALLS, ({ getrlimit, setrlimit }) => {
      const limits = new BigUint64Array(2);
      if (getrlimit(resource, limits) !== 0) return;
      const [soft, hard] = limits as unknown as [bigint, bigint];
      const wanted = hard < most ? hard : most;
      if (soft >= wanted) return;
      limits[0] = wanted;
      setrlimit(resource, limits);
    })
  );
}

/** What `work` returns; `undefined` if it throws: the C library may be impossible to load. */
export function orUndefined<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
