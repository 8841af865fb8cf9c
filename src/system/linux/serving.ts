import type { Serving } from "../processes.ts";
import { raiseFileLimit, withLibc } from "../unix/libc.ts";

/** What `serve` asks of Linux. */
export const LINUX_SERVING: Serving = {
  hasUnixSockets: true,
  sharesPorts: true,
  disableCoreDumps,
  setNotDumpable,
  raiseFileLimit: () => raiseFileLimit({ resource: 7, most: 2n ** 64n - 1n }),
  listeningSockets,
  stopListening,
};

// <sys/resource.h> and <sys/prctl.h>.
const RLIMIT_CORE = 4;
const PR_SET_DUMPABLE = 4;

// Child processes inherit the limit, but not the flag. It takes a millisecond, so short commands do without.
function disableCoreDumps(): boolean {
  const setrlimit = { parameters: ["i32", "buffer"], result: "i32" } as const;
  const limited = withLibc(
    { setrlimit },
    (libc) => libc.setrlimit(RLIMIT_CORE, new BigUint64Array(2)) === 0,
  );
  return setNotDumpable() && limited;
}

// No core dumps, and other processes of the user cannot read the memory or trace the process; root can.
function setNotDumpable(): boolean {
  const prctl = { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" } as const;
  return withLibc({ prctl }, (libc) => libc.prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n) === 0);
}

// <sys/socket.h>.
const TCP_FAMILIES = [2, 10];
const SOL_SOCKET = 1;
const [SO_ACCEPTCONN, SHUT_RDWR] = [30, 2];

function listeningSockets(port: number): number[] {
  const calls = {
    getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
    getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  } as const;
  return withLibc(calls, ({ getsockopt, getsockname }) => {
    const listens = (fd: number) => {
      const value = new Int32Array(1);
      return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, value, sizeOf(value)) === 0 &&
        value[0] === 1;
    };
    const portOf = (fd: number) => {
      const address = new Uint8Array(128);
      if (getsockname(fd, address, sizeOf(address)) !== 0) return undefined;
      // IPv4 and IPv6: the family, then the port in network order.
      return TCP_FAMILIES.includes(address[0]!) ? address[2]! << 8 | address[3]! : undefined;
    };
    const open = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => Number(name));
    return open.filter((fd) => listens(fd) && portOf(fd) === port);
  });
}

function sizeOf({ byteLength }: ArrayBufferView): Uint32Array<ArrayBuffer> {
  return new Uint32Array([byteLength]);
}

function stopListening(sockets: readonly number[]): void {
  const shutdown = { parameters: ["i32", "i32"], result: "i32" } as const;
  withLibc({ shutdown }, (libc) => sockets.forEach((fd) => libc.shutdown(fd, SHUT_RDWR)));
}
