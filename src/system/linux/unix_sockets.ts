import { Buffer } from "node:buffer";
import { withLibc } from "../unix/libc.ts";

// What the runtime cannot do with Unix sockets: abstract names, which begin with a zero byte and have no file; asking
// for the peer's user; and sending a datagram from an unnamed socket.

// <sys/socket.h> and <sys/un.h>.
export const AF_UNIX = 1;
export const [SOCK_STREAM, SOCK_DGRAM] = [1, 2] as const;
export const [SOCK_NONBLOCK, SOCK_CLOEXEC] = [0o4000, 0o2000000] as const;
export const [SOL_SOCKET, MSG_NOSIGNAL] = [1, 0x4000] as const;
const LONGEST_NAME = 107;
const SO_PEERCRED = 17;

/** User id of the process that listens on a Unix socket; `undefined` if it cannot be connected to. */
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

/** Sends a datagram to a Unix socket without waiting. @returns whether it was accepted. */
export function sendDatagram(name: string, data: string): boolean {
  return withSocket(SOCK_DGRAM, ({ sendto }, fd) => {
    const [address, bytes] = [addressOf(name), Uint8Array.from(Buffer.from(data))];
    const sent = sendto(fd, bytes, BigInt(bytes.length), MSG_NOSIGNAL, address, address.length);
    return Number(sent) === bytes.length;
  }) ?? false;
}

/** `struct sockaddr_un` of a name: a path, or an abstract one. */
export function addressOf(name: string): Uint8Array<ArrayBuffer> {
  const isAbstract = name.startsWith("\0");
  const bytes = Buffer.from(name, isAbstract ? "latin1" : "utf8");
  if (bytes.length > LONGEST_NAME) throw new Error("The name of the socket is too long");
  const end = isAbstract ? [] : [0];
  return Uint8Array.from([...new Uint8Array(Uint16Array.of(AF_UNIX).buffer), ...bytes, ...end]);
}

const CALLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
} as const;

function withSocket<T>(
  type: number,
  use: (libc: Deno.DynamicLibrary<typeof CALLS>["symbols"], fd: number) => T,
): T | undefined {
  return withLibc(CALLS, (libc) => {
    const fd = libc.socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return undefined;
    try {
      return use(libc, fd);
    } finally {
      libc.close(fd);
    }
  });
}
