import { kernel } from "./kernel.ts";

const CTRL_C_EVENT = 0;
const EVERYONE = 0;

const MOST_ATTACHED = 4_096;

let sent = 0;

/**
 * Sends Ctrl-C to programs of this process's console, which it has to itself with them: there is no way to send it to
 * some of them. A shell would take it for its user's.
 *
 * @returns `false` where another program has the console too, or the programs are not there.
 */
export function sendCtrlC(programs: readonly number[]): boolean {
  const { GetConsoleProcessList, GenerateConsoleCtrlEvent } = kernel();
  const attached = new Uint32Array(MOST_ATTACHED);
  const count = GetConsoleProcessList(attached, MOST_ATTACHED);
  if (count > MOST_ATTACHED) return false;
  const others = [...attached.subarray(0, count)].filter((pid) => pid !== Deno.pid);
  if (others.length === 0 || !others.every((pid) => programs.includes(pid))) return false;
  if (GenerateConsoleCtrlEvent(CTRL_C_EVENT, EVERYONE) === 0) return false;
  sent++;
  return true;
}

/** Whether a Ctrl-C that has come is one that this process has sent. */
export function wasSent(): boolean {
  if (sent === 0) return false;
  sent--;
  return true;
}
