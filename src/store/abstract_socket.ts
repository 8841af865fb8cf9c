import { Buffer } from "node:buffer";

// From <sys/socket.h> and <sys/un.h> of Linux.
const [AF_UNIX, SOCK_STREAM, SOCK_NONBLOCK, SOCK_CLOEXEC] = [1, 1, 0o4000, 0o2000000];
const [SOL_SOCKET, SO_PEERCRED] = [1, 17];
const LONGEST_NAME = 107;

/**
 * Who listens on an abstract Unix socket, which has no file and so no owner to look at: the user id of the
 * process; `undefined` when nobody answers.
 */
export function abstractSocketOwner(name: string): number | undefined {
  const bytes = Buffer.from(name, "latin1");
  if (Deno.build.os !== "linux" || bytes.length > LONGEST_NAME) return undefined;
  const libc = openLibc();
  try {
    return peerOf(libc, bytes);
  } finally {
    libc.close();
  }
}

function peerOf({ symbols }: ReturnType<typeof openLibc>, name: Buffer): number | undefined {
  const fd = symbols.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return undefined;
  try {
    const address = Buffer.concat([new Uint8Array(new Uint16Array([AF_UNIX]).buffer), [0], name]
      .map((part) => Uint8Array.from(part)));
    if (symbols.connect(fd, address, address.length) !== 0) return undefined;
    // pid, uid, gid.
    const credentials = new Uint32Array(3);
    const size = new Uint32Array([credentials.byteLength]);
    const failed = symbols.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, size);
    return failed ? undefined : credentials[1];
  } finally {
    symbols.close(fd);
  }
}

function openLibc() {
  return Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  });
}
