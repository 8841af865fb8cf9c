import type { MappedFile, QuickLooks } from "../files.ts";
import { LIBC, zeroTerminated } from "../unix/libc.ts";

// <fcntl.h>, <sys/mman.h> and <sys/stat.h>.
const AT_FDCWD = -100;
const [MREMAP_MAYMOVE, MAP_FAILED] = [1, 2n ** 64n - 1n];
const STATX_INO = 0x100;

// Numbers of 32 bits in struct statx (statx(2)), which has the same layout on every processor.
const STATX_NUMBERS = 64;
const [INODE_LOW, INODE_HIGH, DEVICE_MAJOR, DEVICE_MINOR] = [8, 9, 34, 35];

const MAPS = "/proc/self/maps";

const CALLS = {
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  mremap: { parameters: ["pointer", "usize", "usize", "i32"], result: "pointer" },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
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
      mapped: (path, bytes) => mapped(symbols, path, bytes, () => readProc(MAPS) ?? ""),
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

/**
 * Maps again what SQLite has mapped, without opening the file: closing it would release the locks that SQLite holds on it
 * in this process (fcntl(2)), and left open it would stay so when SQLite has closed it.
 *
 * @param maps reads proc_pid_maps(5).
 */
function mapped(
  libc: Libc,
  path: string,
  bytes: number,
  maps: () => string,
): MappedFile | undefined {
  const facts = new Uint32Array(STATX_NUMBERS);
  if (libc.statx(AT_FDCWD, zeroTerminated(path), 0, STATX_INO, facts) !== 0) return undefined;
  // Its beginning, shared. Only then is it the file that SQLite uses, and SQLite keeps others from cutting it off.
  const mapping = new RegExp(`^([0-9a-f]+)-\\S+ \\S+s 0+ ${mapsName(facts)} `, "gm");
  const places = () => [...maps().matchAll(mapping)].map(([, start]) => BigInt(`0x${start}`));
  const [known] = places();
  if (known === undefined) return undefined;
  // An old size of 0 leaves the old mapping as it is: mremap(2).
  const start = libc.mremap(pointerTo(known), 0n, BigInt(bytes), MREMAP_MAYMOVE);
  const value = Deno.UnsafePointer.value(start);
  if (start === null || value === MAP_FAILED) return undefined;
  const release = () => void libc.munmap(start, BigInt(bytes));
  // Another thread may have closed the file in between, and the system may have mapped another one there.
  if (!places().includes(value)) return release();
  return { numbers: new Int32Array(Deno.UnsafePointerView.getArrayBuffer(start, bytes)), release };
}

const pointerTo = (address: bigint) => Deno.UnsafePointer.create(address);

// As in /proc/self/maps: device numbers are hexadecimal.
function mapsName(facts: Uint32Array): string {
  const device = [DEVICE_MAJOR, DEVICE_MINOR]
    .map((at) => facts[at]!.toString(16).padStart(2, "0"));
  const inode = BigInt(facts[INODE_HIGH]!) << 32n | BigInt(facts[INODE_LOW]!);
  return `${device.join(":")} ${inode}`;
}
