import { HERE } from "./here.ts";
import { type Identities, plainServing, type System, type UserEnvironment } from "./system.ts";
import { inHome, unixAdvice, unixMoves, unixPaths } from "./unix/basics.ts";
import { unixProcesses, unixPrograms, UnixStreams } from "./unix/processes.ts";
import { unixPrivacy } from "./unix/privacy.ts";
import { raiseFileLimit } from "./unix/libc.ts";

// From <sys/proc_info.h> and <sys/proc.h> of macOS: of `struct proc_bsdinfo` its size, and where it has the state and the
// two parts of the time.
const PROC_PIDTBSDINFO = 3;
const BYTES = 136;
const [STATE_AT, SECONDS_AT, MICROSECONDS_AT] = [4, 120, 128];
const SZOMB = 5;

/** Asks the system of a process: proc_pidinfo(3). @returns how many bytes it has told. */
export type ProcPidInfo = (
  pid: number,
  flavor: number,
  argument: bigint,
  told: Uint8Array<ArrayBuffer>,
  size: number,
) => number;

/** What macOS tells of processes: when they started, in microseconds since the epoch. */
export function macosIdentities(ask: ProcPidInfo): Identities {
  return {
    // Number and time are not given twice, whatever was started again since.
    place: () => "macOS",
    startOf(pid) {
      const told = new Uint8Array(BYTES);
      if (ask(pid, PROC_PIDTBSDINFO, 0n, told, BYTES) !== BYTES) return undefined;
      const view = new DataView(told.buffer);
      if (view.getUint32(STATE_AT, true) === SZOMB) return undefined;
      const [seconds, microseconds] = [SECONDS_AT, MICROSECONDS_AT]
        .map((at) => Number(view.getBigUint64(at, true)));
      return seconds! * 1_000_000 + microseconds!;
    },
  };
}

let opened: ProcPidInfo | undefined;

/** The system's own. */
const askSystem: ProcPidInfo = (...question) => {
  opened ??= Deno.dlopen(HERE.libc!, {
    proc_pidinfo: { parameters: ["i32", "i32", "u64", "buffer", "i32"], result: "i32" },
  }).symbols.proc_pidinfo;
  return opened(...question);
};

// By its whole path: the loader looks for a plain name in the working folder too.
const LIBC = "/usr/lib/libSystem.B.dylib";

// Of <sys/syslimits.h>: macOS says that there is no limit of open files, and takes none that is higher.
const OPEN_MAX = 10_240n;

/** macOS. */
export const macos: System = {
  os: "darwin",
  paths: { ...unixPaths, baseFolders, sharedFolder: undefined },
  privacy: unixPrivacy,
  moves: unixMoves,
  streams: new UnixStreams(LIBC, 0x4 | 0x1000000),
  libc: LIBC,
  advice: unixAdvice,
  processes: unixProcesses(macosIdentities(askSystem)),
  programs: unixPrograms,
  serving: {
    ...plainServing,
    hasUnixSockets: true,
    raiseFileLimit: () => raiseFileLimit({ library: LIBC, resource: 8, most: OPEN_MAX }),
  },
  schedule: "launchd",
  hasSecretService: false,
  prepareAddon() {},
};

// As Apple's guide has it: what a program keeps, and what it can make again. No app's name has a space in it.
function baseFolders(around: UserEnvironment) {
  return {
    data: inHome(around, "Library/Application Support"),
    config: inHome(around, "Library/Application Support/rekey keys"),
    cache: inHome(around, "Library/Caches/rekey"),
  };
}
