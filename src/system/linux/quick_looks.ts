import type { QuickLooks } from "../files.ts";
import { LIBC, zeroTerminated } from "../unix/libc.ts";

// <fcntl.h>, <sys/mman.h> and <sys/stat.h>.
const [AT_FDCWD, AT_EMPTY_PATH, O_CLOEXEC] = [-100, 0x1000, 0o2000000];
const [PROT_READ, MAP_SHARED, MAP_FAILED] = [1, 1, 2n ** 64n - 1n];
const STATX_INO = 0x100;

// Numbers of 32 bits in struct statx (statx(2)), which has the same layout on every processor.
const STATX_NUMBERS = 64;
const [INODE_LOW, INODE_HIGH, DEVICE_MAJOR, DEVICE_MINOR] = [8, 9, 34, 35];

const MAPS = "/proc/self/maps";

const CALLS = {
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
} as const;

type Libc = Deno.DynamicLibrary<typeof CALLS>["symbols"];

/** @param readProc reads a file in `/proc`. @returns `undefined` without `/proc`, or where the C library lacks a call. */
export function quickLooks(
  readProc: (path: string) => string | undefined,
): QuickLooks | undefined {
  if (readProc(MAPS) === undefined) return undefined;
  try {
    const { symbols } = Deno.dlopen(LIBC!, CALLS);
    return {
      lookAt: (path, identity) => lookAt(symbols, path, identity),
      mapped: (path, bytes) => mapped(symbols, path, bytes, readProc(MAPS) ?? ""),
    };
  } catch {
    return undefined;
  }
}

function lookAt(libc: Libc, path: string, identity: string): () => boolean {
  const name = zeroTerminated(path);
  const facts = new Uint32Array(STATX_NUMBERS);
  const [device, inode] = identity.split(":").map(BigInt) as [bigint, bigint];
  const [major, minor] = deviceNumbers(device);
  const [high, low] = [Number(inode >> 32n), Number(inode & 0xffffffffn)];
  return () =>
    libc.statx(AT_FDCWD, name, 0, STATX_INO, facts) === 0 &&
    facts[INODE_LOW] === low && facts[INODE_HIGH] === high &&
    facts[DEVICE_MAJOR] === major && facts[DEVICE_MINOR] === minor;
}

// makedev(3): both numbers are spread over the device number of stat(2).
function deviceNumbers(device: bigint): [major: number, minor: number] {
  const major = (device >> 8n & 0xfffn) | (device >> 32n & 0xfffff000n);
  const minor = (device & 0xffn) | (device >> 12n & 0xffffff00n);
  return [Number(major), Number(minor)];
}

/** @param maps as in proc_pid_maps(5). */
function mapped(libc: Libc, path: string, bytes: number, maps: string): Int32Array | undefined {
  const fd = libc.open(zeroTerminated(path), O_CLOEXEC);
  if (fd < 0) return undefined;
  // Never closed: that would release the locks that SQLite holds on the file in this process (fcntl(2)).
  const facts = new Uint32Array(STATX_NUMBERS);
  if (libc.statx(fd, zeroTerminated(""), AT_EMPTY_PATH, STATX_INO, facts) !== 0) return undefined;
  // Only then is it the file that SQLite uses, and only then does SQLite keep others from cutting it off.
  if (!maps.includes(` ${mapsName(facts)} `)) return undefined;
  const start = libc.mmap(null, BigInt(bytes), PROT_READ, MAP_SHARED, fd, 0n);
  if (start === null || Deno.UnsafePointer.value(start) === MAP_FAILED) return undefined;
  // It stays mapped: memory that is gone would end the process when it is read.
  return new Int32Array(Deno.UnsafePointerView.getArrayBuffer(start, bytes));
}

// As in /proc/self/maps: device numbers are hexadecimal.
function mapsName(facts: Uint32Array): string {
  const device = [DEVICE_MAJOR, DEVICE_MINOR]
    .map((at) => facts[at]!.toString(16).padStart(2, "0"));
  const inode = BigInt(facts[INODE_HIGH]!) << 32n | BigInt(facts[INODE_LOW]!);
  return `${device.join(":")} ${inode}`;
}
