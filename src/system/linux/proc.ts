import { Buffer } from "node:buffer";
import { HERE } from "../here.ts";
import type { Identities } from "../system.ts";

const ST_RDONLY = 1n;
// <sys/statvfs.h>: nine numbers of eight bytes stand before f_flag.
const F_FLAG = 9;
const STRUCT_NUMBERS = 32;

/** See {@linkcode Privacy.isReadOnly}. */
export function isReadOnly(path: string): boolean {
  const libc = Deno.dlopen("libc.so.6", {
    statvfs: { parameters: ["buffer", "buffer"], result: "i32" },
  });
  try {
    const facts = new BigUint64Array(STRUCT_NUMBERS);
    const failed = libc.symbols.statvfs(Buffer.from(`${path}\0`), facts) !== 0;
    return !failed && (facts[F_FLAG]! & ST_RDONLY) !== 0n;
  } finally {
    libc.close();
  }
}

/** A text below `/proc`, which the runtime does not let a program read; `undefined` when there is none. */
export function processText(path: string): string | undefined {
  return HERE.streams.withDescriptor(path, (descriptor) => {
    const pieces: Uint8Array[] = [];
    for (;;) {
      const piece = HERE.streams.next(descriptor, 0);
      if (typeof piece === "string") return undefined;
      if (piece.length === 0) return Buffer.concat(pieces).toString("latin1");
      pieces.push(piece);
    }
  });
}

/** What `/proc` tells of processes. */
export const linuxIdentities: Identities = { place, startOf };

// Zombies and the dead hold nothing any more.
const ENDED: readonly string[] = ["Z", "X", "x"];

// In clock ticks since the system started (field 22 of proc_pid_stat(5)).
function startOf(pid: number): number | undefined {
  const text = processText(`/proc/${pid}/stat`);
  // The program's name stands in brackets and may hold anything.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  const started = Number(fields?.[19]);
  if (fields === undefined || !Number.isSafeInteger(started)) return undefined;
  return ENDED.includes(fields[0]!) ? undefined : started;
}

// One start of the system, and one namespace of process numbers in it (pid_namespaces(7)).
function place(): string | undefined {
  const boot = processText("/proc/sys/kernel/random/boot_id")?.trim();
  if (boot === undefined || startOf(Deno.pid) === undefined) return undefined;
  return `${boot} ${namespace()}`;
}

// Its number tells it from others; each container has one of its own.
function namespace(): string {
  try {
    return String(Deno.statSync("/proc/self/ns/pid").ino);
  } catch {
    return "";
  }
}
