import { Buffer } from "node:buffer";
import { LIBC } from "../system/libc.ts";

// Where <grp.h> of 64-bit Linux and macOS has the number in a group's entry: behind two pointers.
const GID_OFFSET = 16;

/**
 * The number of a group of users, by its name or as a number, as chgrp(1) takes it; `undefined` when there is none of
 * that name. Names are looked up as the system does, in directories too.
 */
export function groupNumber(name: string): number | undefined {
  const found = lookUp(name);
  if (found !== undefined) return found;
  return /^\d{1,9}$/.test(name) ? Number(name) : undefined;
}

function lookUp(name: string): number | undefined {
  if (LIBC === undefined) return undefined;
  const libc = Deno.dlopen(LIBC, {
    getgrnam: { parameters: ["buffer"], result: "pointer" },
  });
  try {
    const entry = libc.symbols.getgrnam(Uint8Array.from(Buffer.from(`${name}\0`)));
    return entry === null ? undefined : new Deno.UnsafePointerView(entry).getUint32(GID_OFFSET);
  } finally {
    libc.close();
  }
}
