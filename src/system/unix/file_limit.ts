/** How a system counts open files. */
export interface FileLimit {
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
