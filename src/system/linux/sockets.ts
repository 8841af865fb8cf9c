import { Buffer } from "node:buffer";
import type { Serving } from "../system.ts";
import { disableCoreDumps, setNotDumpable } from "./no_core_dumps.ts";
import { raiseFileLimit } from "../unix/libc.ts";

// From <sys/socket.h> of Linux.
const TCP_FAMILIES = [2, 10];
const SOL_SOCKET = 1;
const [SO_ACCEPTCONN, SHUT_RDWR] = [30, 2];

/**
 * The sockets of this process, in all of its threads, that listen on a TCP port: their numbers.
 */
function listeningSockets(port: number): number[] {
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
function stopListening(sockets: readonly number[]): void {
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

// From <sys/socket.h> and <sys/un.h> of Linux.
const [AF_UNIX, SOCK_STREAM, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC] = [
  1,
  1,
  2,
  0o4000,
  0o2000000,
];
const [SO_PEERCRED, MSG_NOSIGNAL] = [17, 0x4000];
const LONGEST_NAME = 107;

// What the runtime cannot do with Unix sockets: abstract names, which begin with a zero byte and have no file;
// asking who listens; and sending a datagram without a file of one's own.

/** Who listens on a Unix socket: the user id of the process; `undefined` when nobody answers. */
export function socketPeer(name: string): number | undefined {
  return withSocket(SOCK_STREAM, ({ connect, getsockopt }, fd) => {
    const address = addressOf(name);
    if (connect(fd, address, address.length) !== 0) return undefined;
    // pid, uid, gid.
    const credentials = new Uint32Array(3);
    const size = new Uint32Array([credentials.byteLength]);
    const failed = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, size);
    return failed ? undefined : credentials[1];
  });
}

/** Sends a datagram to a Unix socket, and waits for nobody. Answers whether it was taken. */
export function sendDatagram(name: string, data: string): boolean {
  return withSocket(SOCK_DGRAM, ({ sendto }, fd) => {
    const [address, bytes] = [addressOf(name), Uint8Array.from(Buffer.from(data))];
    const sent = sendto(fd, bytes, BigInt(bytes.length), MSG_NOSIGNAL, address, address.length);
    return Number(sent) === bytes.length;
  }) ?? false;
}

function addressOf(name: string): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.from(name, name.startsWith("\0") ? "latin1" : "utf8");
  if (bytes.length > LONGEST_NAME) throw new Error("The name of the socket is too long");
  // A path ends with a zero byte; an abstract name with the address.
  const end = name.startsWith("\0") ? [] : [0];
  return Uint8Array.from([...new Uint8Array(Uint16Array.of(AF_UNIX).buffer), ...bytes, ...end]);
}

function withSocket<T>(
  type: number,
  use: (libc: ReturnType<typeof socketLibc>["symbols"], fd: number) => T,
): T | undefined {
  const libc = socketLibc();
  const fd = libc.symbols.socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  try {
    return fd < 0 ? undefined : use(libc.symbols, fd);
  } finally {
    if (fd >= 0) libc.symbols.close(fd);
    libc.close();
  }
}

function socketLibc() {
  return Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
    sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  });
}

/** A server on Linux. */
export const linuxServing: Serving = {
  hasUnixSockets: true,
  sharesPorts: true,
  disableCoreDumps,
  setNotDumpable,
  raiseFileLimit: () => raiseFileLimit({ library: "libc.so.6", resource: 7, most: 2n ** 64n - 1n }),
  listeningSockets,
  stopListening,
};
