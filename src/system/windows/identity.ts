import type { Identities } from "../processes.ts";
import { kernel, TO_LOOK, withProcess } from "./kernel.ts";

const WAIT_TIMEOUT = 0x102;

// FILETIME counts tenths of a microsecond since 1601.
const TICKS_A_MICROSECOND = 10n;
const EPOCH = 116_444_736_000_000_000n;

/** What Windows tells of processes: when they started, in microseconds since the epoch. */
export const windowsIdentities: Identities = {
  // Number and time are not given twice, whatever was started again since.
  place: () => "Windows",
  startOf: (pid) =>
    withProcess(pid, TO_LOOK, (handle) => {
      const { GetProcessTimes, WaitForSingleObject } = kernel();
      // Something may keep hold of one that has ended.
      if (WaitForSingleObject(handle, 0) !== WAIT_TIMEOUT) return undefined;
      const [created, exited, inKernel, inUser] = [0, 0, 0, 0].map(() => new BigUint64Array(1));
      const told = GetProcessTimes(handle, created!, exited!, inKernel!, inUser!);
      return told === 0 ? undefined : Number((created![0]! - EPOCH) / TICKS_A_MICROSECOND);
    }),
};
