import { constants } from "node:os";
import type { TakeSignal } from "../programs.ts";
import { isIgnored, isInForeground } from "./libc.ts";

/** Signals that are passed on to the program. What stops a process (TSTP, TTIN, TTOU) the terminal does to both. */
export const PASSED = [
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGWINCH",
  "SIGCONT",
] as const satisfies readonly Deno.Signal[];

// A terminal sends these to all processes in its foreground, the program among them.
const OF_TERMINALS: readonly Deno.Signal[] = ["SIGINT", "SIGQUIT", "SIGWINCH", "SIGCONT"];

/** See {@linkcode Programs.onSignals}. */
export function onSignals(take: TakeSignal): void {
  for (const signal of PASSED.filter((signal) => !isIgnored(constants.signals[signal]))) {
    Deno.addSignalListener(signal, () => {
      take(signal, OF_TERMINALS.includes(signal) && isInForeground());
    });
  }
}
