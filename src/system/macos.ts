import type { UserEnvironment } from "./paths.ts";
import { type Identities, PLAIN_SERVING } from "./processes.ts";
import type { System } from "./system.ts";
import { inHome, unixFiles, unixPaths, UnixStreams } from "./unix/files.ts";
import { LIBC, raiseFileLimit } from "./unix/libc.ts";
import { unixOwners } from "./unix/owners.ts";
import { unixPermissions } from "./unix/permissions.ts";
import { callerBySudo } from "./unix/sudo.ts";
import { unixAdvice, unixProcesses, unixPrograms } from "./unix/processes.ts";

// <sys/syslimits.h>: macOS reports no hard limit of open files, but accepts no higher one than this.
// RLIMIT_NOFILE of <sys/resource.h>.
const FILE_LIMIT = { resource: 8, most: 10_240n };

export const macos: System = {
  os: "darwin",
  paths: { ...unixPaths, baseFolders, sharedFolder: undefined },
  permissions: unixPermissions,
  owners: unixOwners,
  files: unixFiles,
  quickLooks: () => undefined,
  memory: undefined,
  // O_NONBLOCK and O_CLOEXEC of <fcntl.h>.
  streams: new UnixStreams(0x4 | 0x1000000),
  channels: undefined,
  advice: unixAdvice,
  processes: unixProcesses(macosIdentities(procPidInfo), FILE_LIMIT),
  programs: unixPrograms,
  serving: {
    ...PLAIN_SERVING,
    hasUnixSockets: true,
    raiseFileLimit: () => raiseFileLimit(FILE_LIMIT),
  },
  caller: callerBySudo,
  schedule: "launchd",
  hasSecretService: false,
  fasterSignatures: () => Promise.resolve(undefined),
  prepareAddon() {},
  giveBackMemory() {},
};

// See Apple's File System Programming Guide. An app's name contains no space, so its folder is not "rekey keys".
function baseFolders(user: UserEnvironment) {
  return {
    data: inHome(user, "Library/Application Support"),
    config: inHome(user, "Library/Application Support/rekey keys"),
    cache: inHome(user, "Library/Caches/rekey"),
  };
}

// <sys/proc_info.h> and <sys/proc.h>: size of `struct proc_bsdinfo`, and offsets of the state and the start time.
const PROC_PIDTBSDINFO = 3;
const INFO_BYTES = 136;
const [STATE_AT, SECONDS_AT, MICROSECONDS_AT] = [4, 120, 128];
const SZOMB = 5;

/** proc_pidinfo(3). @returns how many bytes it has written. */
export type ProcPidInfo = (
  pid: number,
  flavor: number,
  argument: bigint,
  info: Uint8Array<ArrayBuffer>,
  size: number,
) => number;

/** Start times are in microseconds since the epoch. */
export function macosIdentities(ask: ProcPidInfo): Identities {
  return {
    // A number and a start time are unique across boots.
    place: () => "macOS",
    startOf(pid) {
      const info = new Uint8Array(INFO_BYTES);
      if (ask(pid, PROC_PIDTBSDINFO, 0n, info, INFO_BYTES) !== INFO_BYTES) return undefined;
      const view = new DataView(info.buffer);
      if (view.getUint32(STATE_AT, true) === SZOMB) return undefined;
      const [seconds, microseconds] = [SECONDS_AT, MICROSECONDS_AT]
        .map((at) => Number(view.getBigUint64(at, true)));
      return seconds! * 1_000_000 + microseconds!;
    },
  };
}

let opened: ProcPidInfo | undefined;

function procPidInfo(...question: Parameters<ProcPidInfo>): number {
  opened ??= Deno.dlopen(LIBC!, {
    proc_pidinfo: { parameters: ["i32", "i32", "u64", "buffer", "i32"], result: "i32" },
  }).symbols.proc_pidinfo;
  return opened(...question);
}
