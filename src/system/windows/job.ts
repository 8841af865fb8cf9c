import type { Family } from "../programs.ts";
import { sendCtrlC } from "./ctrl_c.ts";
import { kernel, TO_JOIN, withProcess } from "./kernel.ts";

// From <winnt.h>.
const EXTENDED_LIMITS = 9;
const EXTENDED_LIMITS_BYTES = 144;
const FLAGS_OFFSET = 16;
const KILL_ON_JOB_CLOSE = 0x2000;
const PROCESS_IDS = 3;

/** As the runtime ends a single process. */
const EXIT_STATUS = 1;

// More than any program starts; those beyond them count as others.
const MOST_LISTED = 4_096;

/**
 * A program and all that it starts, as a job of Windows: many a program here is a script that starts the real one, which
 * would stay behind. What is in the job ends with this process, however that ends.
 */
export class Job implements Family {
  #job: Deno.PointerValue;

  constructor(pid: number) {
    const { CreateJobObjectW, SetInformationJobObject, AssignProcessToJobObject } = kernel();
    this.#job = CreateJobObjectW(null, null);
    const limits = new Uint8Array(EXTENDED_LIMITS_BYTES);
    new DataView(limits.buffer).setUint32(FLAGS_OFFSET, KILL_ON_JOB_CLOSE, true);
    SetInformationJobObject(this.#job, EXTENDED_LIMITS, limits, EXTENDED_LIMITS_BYTES);
    withProcess(pid, TO_JOIN, (handle) => AssignProcessToJobObject(this.#job, handle));
  }

  ask(): boolean {
    return sendCtrlC(this.#members());
  }

  end(): void {
    const { TerminateJobObject, CloseHandle } = kernel();
    if (this.#job === null) return;
    TerminateJobObject(this.#job, EXIT_STATUS);
    CloseHandle(this.#job);
    this.#job = null;
  }

  #members(): number[] {
    const ids = new BigUint64Array(1 + MOST_LISTED);
    kernel().QueryInformationJobObject(this.#job, PROCESS_IDS, ids, ids.byteLength, null);
    // Two numbers of 32 bits, how many there are and how many are listed, and then the list.
    return [...ids.subarray(1, 1 + Number(ids[0]! >> 32n))].map(Number);
  }
}
