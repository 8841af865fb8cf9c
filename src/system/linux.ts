import { linuxCaller } from "./linux/caller.ts";
import { memory } from "./linux/memory.ts";
import { quickLooks } from "./linux/quick_looks.ts";
import { Buffer } from "node:buffer";
import { faultOfPath, pathOf, type UserEnvironment } from "./paths.ts";
import type { Identities } from "./processes.ts";
import type { System } from "./system.ts";
import { inHome, unixFiles, unixPaths, UnixStreams } from "./unix/files.ts";
import { orUndefined, raiseFileLimit, withLibc, zeroTerminated } from "./unix/libc.ts";
import { unixOwners } from "./unix/owners.ts";
import { unixPermissions } from "./unix/permissions.ts";
import { unixAdvice, unixProcesses, unixPrograms } from "./unix/processes.ts";

// O_NONBLOCK and O_CLOEXEC of <fcntl.h>.
const streams = new UnixStreams(0o4000 | 0o2000000);

let looks: ReturnType<typeof quickLooks>;

const identities: Identities = { place, startOf };

// RLIMIT_NOFILE of <asm-generic/resource.h>.
const FILE_LIMIT = { resource: 7, most: 2n ** 64n - 1n };

export const linux: System = {
  os: "linux",
  paths: { ...unixPaths, baseFolders, sharedFolder: "/var/lib/rekey" },
  permissions: unixPermissions,
  owners: unixOwners,
  files: { ...unixFiles, isReadOnly, isLockedByOthers },
  quickLooks: () => looks ??= quickLooks(readProc),
  memory,
  streams,
  channels: {
    journal: "/run/systemd/journal/socket",
    syslog: "/dev/log",
    // <sys/un.h>: `sun_path` has 108 bytes, the last of them zero.
    longestPath: 107,
    load: async () => (await import("./linux/channels.ts")).calls,
  },
  advice: unixAdvice,
  processes: unixProcesses(identities, FILE_LIMIT),
  programs: unixPrograms,
  serving: {
    hasUnixSockets: true,
    sharesPorts: true,
    disableCoreDumps,
    setNotDumpable,
    raiseFileLimit: () => raiseFileLimit(FILE_LIMIT),
    listening: async () => (await import("./linux/listening.ts")).listening,
  },
  caller: linuxCaller,
  schedule: "systemd",
  hasSecretService: true,
  fasterSignatures: async () => (await import("./linux/openssl.ts")).openSsl,
  prepareAddon() {},
  giveBackMemory,
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
    // Such as in a folder that is closed to this user, or behind a link to itself.
    if (error instanceof Error && "code" in error) return undefined;
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

// A command that keeps its memory does its work all the same.
function giveBackMemory(): void {
  const malloc_trim = { parameters: ["usize"], result: "i32" } as const;
  orUndefined(() => withLibc({ malloc_trim }, (libc) => libc.malloc_trim(0n)));
}
