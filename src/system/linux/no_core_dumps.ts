// From <sys/resource.h> and <sys/prctl.h> of Linux.
const RLIMIT_CORE = 4;
const PR_SET_DUMPABLE = 4;

/**
 * Keeps the memory of a process that holds secrets for long to itself: there is no core dump of it, and other
 * processes of the same user can neither read its memory nor trace it (root can). Children inherit the first
 * and not the second.
 *
 * It takes a millisecond, so short commands do without.
 *
 * @returns whether it could be done.
 */
export function disableCoreDumps(): boolean {
  const libc = Deno.dlopen("libc.so.6", {
    setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  });
  try {
    const limited = libc.symbols.setrlimit(RLIMIT_CORE, new BigUint64Array(2)) === 0;
    return setNotDumpable() && limited;
  } finally {
    libc.close();
  }
}

/** The same for a process whose children are none of ours to limit: they inherit nothing of it. */
export function setNotDumpable(): boolean {
  const libc = Deno.dlopen("libc.so.6", {
    prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  });
  try {
    return libc.symbols.prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n) === 0;
  } finally {
    libc.close();
  }
}
