import { HERE } from "../here.ts";
import type { Identities } from "../processes.ts";

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
export const askSystem: ProcPidInfo = (...question) => {
  opened ??= Deno.dlopen(HERE.libc!, {
    proc_pidinfo: { parameters: ["i32", "i32", "u64", "buffer", "i32"], result: "i32" },
  }).symbols.proc_pidinfo;
  return opened(...question);
};
