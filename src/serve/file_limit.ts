import { HERE } from "../system/here.ts";
import { LIBC } from "../system/libc.ts";

// Of <sys/resource.h>.
const RLIMIT_NOFILE = { linux: 7, darwin: 8, windows: 0 }[HERE.os];
// macOS: OPEN_MAX of <sys/syslimits.h>. It says that there is no limit, and takes none that is higher.
const MOST = { linux: 2n ** 64n - 1n, darwin: 10_240n, windows: 0n }[HERE.os];

/**
 * Lets the process have as many open files as it may at most. Shells and systemd start programs with 1,024, launchd
 * with 256, for the sake of those that use select(2); a server needs one for every connection.
 */
export function raiseFileLimit(): void {
  const libc = openLibc();
  try {
    if (libc === undefined) return;
    const limits = new BigUint64Array(2);
    if (libc.symbols.getrlimit(RLIMIT_NOFILE, limits) !== 0) return;
    const [soft, hard] = limits as unknown as [bigint, bigint];
    const wanted = hard < MOST ? hard : MOST;
    if (soft >= wanted) return;
    limits[0] = wanted;
    libc.symbols.setrlimit(RLIMIT_NOFILE, limits);
  } finally {
    libc?.close();
  }
}

// Fewer connections are no reason not to serve any.
function openLibc() {
  if (LIBC === undefined) return undefined;
  try {
    return Deno.dlopen(LIBC, {
      getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
      setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
    });
  } catch {
    return undefined;
  }
}
