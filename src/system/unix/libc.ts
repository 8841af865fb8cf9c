import { HERE } from "../here.ts";

// The runtime has no calls for these; the C library that it is linked to has.
const X_OK = 1;
const SIG_DFL = 0n;
const SIG_IGN = 1n;
const SIGPIPE = 13;
const O_RDONLY = 0;
// More than any system's; on each it begins with the handler.
const SIGACTION_BYTES = 512;
const POINTER_BYTES = BigUint64Array.BYTES_PER_ELEMENT;

/** Whether this process may execute a file; `undefined` where the system cannot be asked. */
export function mayExecute(path: string): boolean | undefined {
  const answer = load()?.symbols.access(zeroTerminated(path), X_OK);
  return answer === undefined ? undefined : answer === 0;
}

/**
 * Makes this process the program, which keeps the process's id, environment, open files and standing with its
 * parent. It comes back only when that cannot be done.
 *
 * @param argv the program's arguments, its own name first.
 */
export function become(path: string, argv: readonly string[]): void {
  const libc = load();
  // What is ignored stays so, and the runtime ignores this one.
  libc?.symbols.signal(SIGPIPE, SIG_DFL);
  libc?.symbols.execv(zeroTerminated(path), vector(argv));
}

/** Whether this process ignores a signal. */
export function isIgnored(signal: number): boolean {
  const present = new BigUint64Array(SIGACTION_BYTES / POINTER_BYTES);
  // Asked and not set: the runtime may have listeners of its own by now.
  loadAsking()?.symbols.sigaction(signal, null, present);
  return present[0] === SIG_IGN;
}

/** Makes this process ignore a signal. @returns does with it what was done before. */
export function ignore(signal: number): () => void {
  const libc = load();
  const before = new BigUint64Array(SIGACTION_BYTES / POINTER_BYTES);
  libc?.symbols.sigaction(signal, null, before);
  libc?.symbols.signal(signal, SIG_IGN);
  return () => void libc?.symbols.sigaction(signal, before, null);
}

/** Whether this process is in the foreground of a terminal, which then sends it and its children the same signals. */
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

/** Ends this process by a signal, so that its parent sees what happened. It comes back when that cannot be done. */
export function dieOf(signal: number): void {
  const libc = load();
  // A listener would take the signal, and some are ignored from the start.
  libc?.symbols.signal(signal, SIG_DFL);
  libc?.symbols.raise(signal);
}

function loadLibrary() {
  if (HERE.libc === undefined) return undefined;
  return Deno.dlopen(HERE.libc, {
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

// Each start asks. The runtime compiles code for each call that is declared, unless that may call back: 3 % of `verify`.
function loadAsking() {
  if (HERE.libc === undefined) return undefined;
  return asking ??= Deno.dlopen(HERE.libc, { sigaction: { ...SIGACTION, callback: true } });
}

let asking: Deno.DynamicLibrary<{ sigaction: typeof SIGACTION }> | undefined;
let loaded: ReturnType<typeof loadLibrary>;

function load() {
  return loaded ??= loadLibrary();
}

function zeroTerminated(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

// Pointers and texts in one block, so that none of them is collected while it is in use.
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

/** How a system counts open files. */
interface FileLimit {
  /** The C library. */
  readonly library: string;
  /** `RLIMIT_NOFILE` of <sys/resource.h>. */
  readonly resource: number;
  /** The highest limit that the system takes. */
  readonly most: bigint;
}

/** See {@linkcode Serving.raiseFileLimit}. */
export function raiseFileLimit({ library, resource, most }: FileLimit): void {
  const libc = open(library);
  if (libc === undefined) return;
  try {
    const limits = new BigUint64Array(2);
    if (libc.symbols.getrlimit(resource, limits) !== 0) return;
    const [soft, hard] = limits as unknown as [bigint, bigint];
    const wanted = hard < most ? hard : most;
    if (soft >= wanted) return;
    limits[0] = wanted;
    libc.symbols.setrlimit(resource, limits);
  } finally {
    libc.close();
  }
}

// Fewer connections are no reason not to serve any.
function open(library: string) {
  try {
    return Deno.dlopen(library, {
      getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
      setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
    });
  } catch {
    return undefined;
  }
}
