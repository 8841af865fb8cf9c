import { Buffer } from "node:buffer";

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
