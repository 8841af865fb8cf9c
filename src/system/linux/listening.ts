import type { Listening } from "../processes.ts";
import { withLibc } from "../unix/libc.ts";

/** See {@linkcode Listening}. */
export const listening: Listening = {
  listeningSockets,
  stopListening(sockets) {
    const shutdown = { parameters: ["i32", "i32"], result: "i32" } as const;
    withLibc({ shutdown }, (libc) => sockets.forEach((fd) => libc.shutdown(fd, SHUT_RDWR)));
  },
};

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
