import { constants } from "node:os";
import { ignore, isIgnored } from "./libc.ts";

const TAKEN = ["SIGHUP", "SIGINT", "SIGTERM"] as const;

const heeded = new Map<Deno.Signal, () => void>();

/**
 * A limit on the size of files (ulimit -f) is to be an error in words and not the end in mid-write. What whoever started
 * rekey wants ignored, as nohup does, stays ignored: Deno takes some signals for itself as soon as anything is listened
 * for.
 */
export function begin(): void {
  const ignored = TAKEN.filter((signal) => isIgnored(constants.signals[signal]));
  Deno.addSignalListener("SIGXFSZ", () => {});
  for (const signal of ignored) heeded.set(signal, ignore(constants.signals[signal]));
}

/** Listens for a signal, be it one that whoever started rekey wants ignored. */
export function heed(signal: Deno.Signal, take: () => void): void {
  Deno.addSignalListener(signal, take);
  // Deno has it already, and does not look whether the system still gives it the signal.
  heeded.get(signal)?.();
}
