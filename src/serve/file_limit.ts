// From <sys/resource.h> of Linux.
const RLIMIT_NOFILE = 7;

/**
 * Lets the process have as many open files as it may at most. Shells and systemd start programs with 1,024, for
 * the sake of those that use select(2); a server needs one for every connection.
 */
export function raiseFileLimit(): void {
  if (Deno.build.os !== "linux") return;
  const libc = openLibc();
  try {
    if (libc === undefined) return;
    const limits = new BigUint64Array(2);
    if (libc.symbols.getrlimit(RLIMIT_NOFILE, limits) !== 0) return;
    limits[0] = limits[1]!;
    libc.symbols.setrlimit(RLIMIT_NOFILE, limits);
  } finally {
    libc?.close();
  }
}

// Fewer connections are no reason not to serve any.
function openLibc() {
  try {
    return Deno.dlopen("libc.so.6", {
      getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
      setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
    });
  } catch {
    return undefined;
  }
}
