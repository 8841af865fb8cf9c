// From <sys/socket.h> of Linux.
const TCP_FAMILIES = [2, 10];
const SOL_SOCKET = 1;
const [SO_ACCEPTCONN, SHUT_RDWR] = [30, 2];

/**
 * The sockets of this process, in all of its threads, that listen on a TCP port: their numbers.
 */
export function listeningSockets(port: number): number[] {
  return withLibc(({ getsockopt, getsockname }) => {
    const listens = (fd: number) => {
      const value = new Int32Array(1);
      return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, value, sizeOf(value)) === 0 &&
        value[0] === 1;
    };
    const portOf = (fd: number) => {
      const address = new Uint8Array(128);
      if (getsockname(fd, address, sizeOf(address)) !== 0) return undefined;
      // The family, then the port in network order, for IPv4 and IPv6 alike.
      return TCP_FAMILIES.includes(address[0]!) ? address[2]! << 8 | address[3]! : undefined;
    };
    const open = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => Number(name));
    return open.filter((fd) => listens(fd) && portOf(fd) === port);
  });
}

/** Lets sockets listen no more. The connections that came in on them stay as they are. */
export function stopListening(sockets: readonly number[]): void {
  withLibc(({ shutdown }) => sockets.forEach((fd) => shutdown(fd, SHUT_RDWR)));
}

function sizeOf({ byteLength }: ArrayBufferView): Uint32Array<ArrayBuffer> {
  return new Uint32Array([byteLength]);
}

function withLibc<T>(use: (libc: ReturnType<typeof listeningLibc>["symbols"]) => T): T {
  const libc = listeningLibc();
  try {
    return use(libc.symbols);
  } finally {
    libc.close();
  }
}

function listeningLibc() {
  return Deno.dlopen("libc.so.6", {
    getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
    getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
    shutdown: { parameters: ["i32", "i32"], result: "i32" },
  });
}
