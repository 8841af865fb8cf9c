import { channels } from "./linux/channels.ts";
import { linuxCaller } from "./linux/caller.ts";
import { memory } from "./linux/memory.ts";
import { openSsl } from "./linux/openssl.ts";
import { quickLooks } from "./linux/quick_looks.ts";
import { Buffer } from "node:buffer";
import { faultOfPath, pathOf, type UserEnvironment } from "./paths.ts";
import type { Identities } from "./processes.ts";
import type { System } from "./system.ts";
import { inHome, unixFiles, unixPaths, UnixStreams } from "./unix/files.ts";
import { raiseFileLimit, withLibc, zeroTerminated } from "./unix/libc.ts";
import { unixOwners } from "./unix/owners.ts";
import { unixPermissions } from "./unix/permissions.ts";
import { unixAdvice, unixProcesses, unixPrograms } from "./unix/processes.ts";

// O_NONBLOCK and O_CLOEXEC of <fcntl.h>.
const streams = new UnixStreams(0o4000 | 0o2000000);

let looks: ReturnType<typeof quickLooks>;

const identities: Identities = { place, startOf };

export const linux: System = {
  os: "linux",
  paths: { ...unixPaths, baseFolders, sharedFolder: "/var/lib/rekey" },
  permissions: unixPermissions,
  owners: unixOwners,
  files: { ...unixFiles, isReadOnly, isLockedByOthers },
  quickLooks: () => looks ??= quickLooks(readProc),
  memory,
  streams,
  channels,
  advice: unixAdvice,
  processes: unixProcesses(identities),
  programs: unixPrograms,
  serving: {
    hasUnixSockets: true,
    sharesPorts: true,
    disableCoreDumps,
    setNotDumpable,
    raiseFileLimit: () => raiseFileLimit({ resource: 7, most: 2n ** 64n - 1n }),
    listeningSockets,
    stopListening(sockets) {
      const shutdown = { parameters: ["i32", "i32"], result: "i32" } as const;
      withLibc({ shutdown }, (libc) => sockets.forEach((fd) => libc.shutdown(fd, SHUT_RDWR)));
    },
  },
  caller: linuxCaller,
  schedule: "systemd",
  hasSecretService: true,
  fasterSignatures: openSsl,
  prepareAddon() {},
};

// The XDG specification says to ignore relative values. For secrets and keys that would use another folder than the
// one that the user meant, so they are refused.
function baseFolders(user: UserEnvironment) {
  const named = (name: string, folder: string) => {
    const value = user.env(name);
    return value === undefined ? inHome(user, folder) : pathOf(name, value, linux.paths);
  };
  const cache = user.env("XDG_CACHE_HOME");
  const isUsable = cache?.startsWith("/") && !faultOfPath(cache, linux.paths);
  const rekeyIn = (folder: string | undefined) => folder && `${folder}/rekey`;
  return {
    data: named("XDG_DATA_HOME", ".local/share"),
    config: rekeyIn(named("XDG_CONFIG_HOME", ".config")),
    cache: rekeyIn(isUsable ? cache : inHome(user, ".cache")),
  };
}

const ST_RDONLY = 1n;
// <sys/statvfs.h>: f_flag follows nine numbers of eight bytes.
const F_FLAG = 9;
const STATVFS_NUMBERS = 32;

function isReadOnly(path: string): boolean {
  const statvfs = { parameters: ["buffer", "buffer"], result: "i32" } as const;
  return withLibc({ statvfs }, (libc) => {
    const facts = new BigUint64Array(STATVFS_NUMBERS);
    const failed = libc.statvfs(zeroTerminated(path), facts) !== 0;
    return !failed && (facts[F_FLAG]! & ST_RDONLY) !== 0n;
  });
}

function isLockedByOthers(path: string): boolean | undefined {
  const inode = inodeOf(path);
  if (inode === undefined) return undefined;
  // proc_locks(5): `1: POSIX ADVISORY READ 708 08:01:2097547 128 128`.
  const locks = readProc("/proc/locks")?.matchAll(/^\d+: POSIX +\S+ +\S+ (\d+) (\S+)/gm);
  return locks &&
    [...locks].some(([, pid, file]) =>
      Number(pid) !== Deno.pid && file!.split(":")[2] === String(inode)
    );
}

function inodeOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).ino ?? undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Reads a file in `/proc`, which the runtime's own calls refuse; `undefined` if it cannot be opened. */
function readProc(path: string): string | undefined {
  return streams.withDescriptor(path, (descriptor) => {
    const chunks: Uint8Array[] = [];
    for (;;) {
      const chunk = streams.next(descriptor, 0);
      if (typeof chunk === "string") return undefined;
      if (chunk.length === 0) return Buffer.concat(chunks).toString("latin1");
      chunks.push(chunk);
    }
  });
}

// Zombies and dead processes.
const ENDED: readonly string[] = ["Z", "X", "x"];

// Clock ticks since boot: field 22 of proc_pid_stat(5).
function startOf(pid: number): number | undefined {
  const text = readProc(`/proc/${pid}/stat`);
  // The program's name is in brackets and can contain anything.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  const started = Number(fields?.[19]);
  if (fields === undefined || !Number.isSafeInteger(started)) return undefined;
  return ENDED.includes(fields[0]!) ? undefined : started;
}

// A boot, and a namespace of process numbers: pid_namespaces(7). Each container has its own.
function place(): string | undefined {
  const boot = readProc("/proc/sys/kernel/random/boot_id")?.trim();
  if (boot === undefined || startOf(Deno.pid) === undefined) return undefined;
  return `${boot} ${namespace()}`;
}

function namespace(): string {
  try {
    return String(Deno.statSync("/proc/self/ns/pid").ino);
  } catch {
    return "";
  }
}

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
