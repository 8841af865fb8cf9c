import { Buffer } from "node:buffer";
import { LINUX_SERVING } from "./linux/serving.ts";
import { faultOfPath, pathOf, type UserEnvironment } from "./paths.ts";
import type { Identities } from "./processes.ts";
import type { System } from "./system.ts";
import { inHome, unixFiles, unixPaths, UnixStreams } from "./unix/files.ts";
import { withLibc } from "./unix/libc.ts";
import { unixOwners } from "./unix/owners.ts";
import { unixPermissions } from "./unix/permissions.ts";
import { unixAdvice, unixProcesses, unixPrograms } from "./unix/processes.ts";

// O_NONBLOCK and O_CLOEXEC of <fcntl.h>.
const streams = new UnixStreams(0o4000 | 0o2000000);

const identities: Identities = { place, startOf };

export const linux: System = {
  os: "linux",
  paths: { ...unixPaths, baseFolders, sharedFolder: "/var/lib/rekey" },
  permissions: unixPermissions,
  owners: unixOwners,
  files: { ...unixFiles, isReadOnly, isLockedByOthers },
  streams,
  advice: unixAdvice,
  processes: unixProcesses(identities),
  programs: unixPrograms,
  serving: LINUX_SERVING,
  schedule: "systemd",
  hasSecretService: true,
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
    const failed = libc.statvfs(Buffer.from(`${path}\0`), facts) !== 0;
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
