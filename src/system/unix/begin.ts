import { constants } from "node:os";
import { ignore, isIgnored } from "./libc.ts";

const TAKEN = ["SIGHUP", "SIGINT", "SIGTERM"] as const;

const heeded = new Map<Deno.Signal, () => void>();

/**
 * A limit on the size of files (ulimit -f) is to be an error in words and not the end in mid-write. Signals that were
 * ignored when rekey was started, as nohup does, stay ignored: Deno takes some for itself as soon as a program listens
 * for any.
 */
export function begin(): void {
  const ignored = TAKEN.filter((signal) => isIgnored(constants.signals[signal]));
  Deno.addSignalListener("SIGXFSZ", () => {});
  for (const signal of ignored) heeded.set(signal, ignore(constants.signals[signal]));
}

/** See {@linkcode ProcessControl.heed}. */
export function heed(signal: Deno.Signal, take: () => void): void {
  Deno.addSignalListener(signal, take);
  // Deno has it already, and does not look whether the system still gives it the signal.
  heeded.get(signal)?.();
}
