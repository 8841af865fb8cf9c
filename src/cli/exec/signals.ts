import { constants } from "node:os";
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
export type Passed = typeof PASSED[number];

// A terminal sends these to all processes in its foreground, the program among them.
const OF_TERMINALS: readonly Passed[] = ["SIGINT", "SIGQUIT", "SIGWINCH", "SIGCONT"];

/**
 * Takes every signal that the program should have, and whether its terminal sends it that one too. Those that whoever
 * started rekey wants ignored, as nohup does, stay so for both.
 */
export function onSignals(take: (signal: Passed, isOfTerminal: boolean) => void): void {
  for (const signal of PASSED.filter((signal) => !isIgnored(constants.signals[signal]))) {
    Deno.addSignalListener(signal, () => {
      take(signal, OF_TERMINALS.includes(signal) && isInForeground());
    });
  }
}
