import assert from "node:assert/strict";
import { macosIdentities, type ProcPidInfo } from "../../src/system/macos.ts";
import { Processes } from "../../src/system/processes.ts";

const SRUN = 2;
const SZOMB = 5;

// `struct proc_bsdinfo` of <sys/proc_info.h>, member by member: its bytes, and how often.
const MEMBERS = [
  ...["flags", "status", "xstatus", "pid", "ppid", "uid", "gid", "ruid", "rgid", "svuid", "svgid"]
    .map((name) => [name, 4] as const),
  ["rfu_1", 4],
  ["comm", 16],
  ["name", 32],
  ...["nfiles", "pgid", "pjobc", "e_tdev", "e_tpgid", "nice"].map((name) => [name, 4] as const),
  ["start_tvsec", 8],
  ["start_tvusec", 8],
] as const;

const SIZE = MEMBERS.reduce((sum, [, size]) => sum + size, 0);

/** What the system would tell; members that are not named are full of other bytes. */
function told(values: Record<string, number>): Uint8Array {
  const bytes = new Uint8Array(SIZE).fill(0xee);
  let at = 0;
  for (const [name, size] of MEMBERS) {
    const value = values[name];
    const view = new DataView(bytes.buffer, at, size);
    if (value !== undefined && size === 8) view.setBigUint64(0, BigInt(value), true);
    else if (value !== undefined) view.setUint32(0, value, true);
    at += size;
  }
  return bytes;
}

const START = { start_tvsec: 1_796_000_000, start_tvusec: 123_456 };

function system(processes: Record<number, Record<string, number>>, length = SIZE): ProcPidInfo {
  return (pid, flavor, argument, into, size) => {
    assert.deepEqual([flavor, argument, size], [3, 0n, SIZE], "PROC_PIDTBSDINFO");
    const values = processes[pid];
    if (values === undefined) return 0;
    into.set(told({ pid, ...values }).subarray(0, length));
    return length;
  };
}

Deno.test("macOS tells when a process started, in microseconds since the epoch", () => {
  const { startOf } = macosIdentities(system({ 7: { status: SRUN, ...START } }));
  assert.equal(startOf(7), 1_796_000_000_123_456);
  assert.equal(startOf(8), undefined, "there is none");
});

Deno.test("macOS: a process that has ended, or is only partly described, counts as not running", () => {
  assert.equal(macosIdentities(system({ 7: { status: SZOMB, ...START } })).startOf(7), undefined);
  const short = macosIdentities(system({ 7: { status: SRUN, ...START } }, SIZE - 8));
  assert.equal(short.startOf(7), undefined);
});

Deno.test("macOS: a number that was given again is another process", () => {
  const first = new Processes(macosIdentities(system({ 7: { status: SRUN, ...START } })));
  const later = { ...START, start_tvusec: START.start_tvusec + 1 };
  const second = new Processes(macosIdentities(system({ 7: { status: SRUN, ...later } })));
  const id = first.identify(7)!;
  assert.deepEqual([first.stateOf(id), second.stateOf(id)], ["runs", "gone"]);
});
