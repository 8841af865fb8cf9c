// From <sys/socket.h> of Linux.
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;

// sizeof(struct sockaddr_un.sun_path)
const LONGEST_PATH = 108;

/**
 * Sends a text to a Unix datagram socket, and waits for nobody. The runtime's own sockets for datagrams each need a
 * file in some folder, and cannot send to an abstract name.
 *
 * @param path of the socket; an abstract name (unix(7)) begins with `@`.
 * @returns why it could not be sent, or `undefined`.
 */
export function sendDatagram(path: string, text: string): string | undefined {
  if (Deno.build.os !== "linux") return "there is no such socket on this system";
  const name = new TextEncoder().encode(path.replace(/^@/, "\0"));
  if (name.length >= LONGEST_PATH) return "the name of its socket is too long";
  const libc = Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  });
  try {
    const { socket, sendto, close } = libc.symbols;
    const own = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (own < 0) return "there are no more sockets";
    const address = new Uint8Array(2 + name.length);
    new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX;
    address.set(name, 2);
    const bytes = new TextEncoder().encode(text);
    const length = BigInt(bytes.length);
    const sent = sendto(own, bytes, length, MSG_NOSIGNAL, address, address.length);
    close(own);
    return sent === length ? undefined : "nobody reads its socket";
  } finally {
    libc.close();
  }
}
