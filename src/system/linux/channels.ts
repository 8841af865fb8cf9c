import { type Channel, type ChannelCalls, ChannelFault } from "../channels.ts";
import { LIBC, zeroTerminated } from "../unix/libc.ts";
import {
  addressOf,
  AF_UNIX,
  MSG_NOSIGNAL,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from "./unix_sockets.ts";

// <sys/socket.h>, <fcntl.h>, <poll.h>, <asm-generic/ioctls.h>, <linux/limits.h>.
const MSG_DONTWAIT = 0x40;
const [SO_TYPE, SO_ERROR] = [3, 4];
const [F_GETFD, FD_CLOEXEC, SEEK_CUR] = [1, 1, 1];
const [O_WRONLY, O_NONBLOCK, O_NOCTTY, O_CLOEXEC] = [1, 0o4000, 0o400, 0o2000000];
const [POLLOUT, POLLERR, POLLHUP] = [4, 8, 16];
const [SIOCOUTQ, FIONREAD] = [0x5411n, 0x541bn];
const PIPE_BUF = 4096;

const [EINTR, EAGAIN, EPROTOTYPE, ENOBUFS] = [4, 11, 91, 105];

const REASONS: Record<number, string> = {
  2: "it is not there",
  6: "no program reads from it",
  9: "it is not open",
  11: "its other end accepts no more connections",
  13: "permission denied",
  20: "a part of the path is not a folder",
  24: "this program has too many files open",
  28: "the disk is full",
  32: "the other end was closed",
  90: "a row is too long for it",
  91: "it is a socket of another type than datagrams or a stream",
  104: "the other end was closed",
  107: "the other end was closed",
  111: "no program listens on it",
};

function load() {
  return Deno.dlopen(LIBC!, {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
    send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
    write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
    ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
    fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
    lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
    isatty: { parameters: ["i32"], result: "i32" },
    open: { parameters: ["buffer", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
    __errno_location: { parameters: [], result: "pointer" },
  }).symbols;
}

let loaded: ReturnType<typeof load> | undefined;
const libc = () => loaded ??= load();

// Of the last call, which must be the one before.
function errno(): number {
  return new Deno.UnsafePointerView(libc().__errno_location()!).getInt32();
}

function fault(number: number): ChannelFault {
  return new ChannelFault(REASONS[number] ?? `Linux reports its error ${number}`);
}

/** Calls that must not wait report so; any other failure is thrown. */
function zeroIfFull(result: bigint | number): number {
  if (result >= 0) return Number(result);
  const number = errno();
  if ([EINTR, EAGAIN, ENOBUFS].includes(number)) return 0;
  throw fault(number);
}

function socketOption(fd: number, option: number): number | undefined {
  const value = new Int32Array(1);
  const size = new Uint32Array([value.byteLength]);
  return libc().getsockopt(fd, SOL_SOCKET, option, value, size) === 0 ? value[0] : undefined;
}

function waiting(fd: number, request: bigint): number {
  const bytes = new Int32Array(1);
  return libc().ioctl(fd, request, bytes) === 0 ? bytes[0]! : 0;
}

/** What poll(2) reports at once. */
function events(fd: number): number {
  const wanted = Int32Array.of(fd, POLLOUT);
  return libc().poll(wanted, 1n, 0) > 0 ? wanted[1]! >>> 16 : 0;
}

const EMPTY = new Uint8Array();

class SocketChannel implements Channel {
  readonly keepsMessages: boolean;

  constructor(private readonly fd: number, type: number, private readonly isOwn: boolean) {
    this.keepsMessages = type !== SOCK_STREAM;
  }

  write(bytes: Uint8Array<ArrayBuffer>): number {
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    return zeroIfFull(libc().send(this.fd, bytes, BigInt(bytes.length), flags));
  }

  isRead(): boolean {
    if (waiting(this.fd, SIOCOUTQ) > 0) return false;
    const failed = socketOption(this.fd, SO_ERROR);
    if (failed) throw fault(failed);
    // Nothing on the way: the other end has read it, or was closed. Only an empty datagram tells which.
    if (this.keepsMessages) this.write(EMPTY);
    else if (events(this.fd) & (POLLERR | POLLHUP)) throw new ChannelFault(REASONS[32]);
    return true;
  }

  [Symbol.dispose](): void {
    if (this.isOwn) libc().close(this.fd);
  }
}

/** A pipe, a terminal or a regular file. */
class FileChannel implements Channel {
  readonly keepsMessages = false;
  readonly #own: number;
  readonly #isPipe: boolean;

  constructor(private readonly fd: number) {
    const { lseek, isatty, open } = libc();
    const isFile = lseek(fd, 0n, SEEK_CUR) >= 0n;
    this.#isPipe = !isFile && isatty(fd) === 0;
    // Others have the same descriptor: another one of the same pipe can be told not to wait, without telling theirs.
    const flags = O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    this.#own = isFile ? -1 : open(zeroTerminated(`/proc/self/fd/${fd}`), flags);
  }

  write(bytes: Uint8Array<ArrayBuffer>): number {
    // Where there was no other one: a pipe that is ready takes so many bytes without waiting (pipe(7)).
    if (this.#own < 0 && !(events(this.fd) & (POLLOUT | POLLERR))) return 0;
    const piece = this.#isPipe ? bytes.subarray(0, PIPE_BUF) : bytes;
    const to = this.#own < 0 ? this.fd : this.#own;
    return zeroIfFull(libc().write(to, piece, BigInt(piece.length)));
  }

  isRead(): boolean {
    if (!this.#isPipe) return true;
    if (events(this.fd) & POLLERR) throw new ChannelFault(REASONS[32]);
    return waiting(this.fd, FIONREAD) === 0;
  }

  [Symbol.dispose](): void {
    if (this.#own >= 0) libc().close(this.#own);
  }
}

function connected(path: string, type: number): SocketChannel | number {
  const fd = libc().socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw fault(errno());
  const address = addressOf(path);
  if (libc().connect(fd, address, address.length) === 0) return new SocketChannel(fd, type, true);
  const number = errno();
  libc().close(fd);
  return number;
}

/** Sockets and descriptors of Linux. */
export const calls: ChannelCalls = {
  connect(path) {
    const first = connected(path, SOCK_DGRAM);
    const channel = first === EPROTOTYPE ? connected(path, SOCK_STREAM) : first;
    if (typeof channel === "number") throw fault(channel);
    return channel;
  },
  inherited(descriptor) {
    const flags = libc().fcntl(descriptor, F_GETFD, 0);
    // The runtime's own files, of which one may be the database, are closed in programs that it starts.
    if (flags < 0 || (flags & FD_CLOEXEC) !== 0) throw fault(9);
    const type = socketOption(descriptor, SO_TYPE);
    return type === undefined
      ? new FileChannel(descriptor)
      : new SocketChannel(descriptor, type, false);
  },
};
