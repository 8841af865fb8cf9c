import { RekeyError } from "../core/errors.ts";

// A machine that sleeps does not count the time; it is asked again when it wakes up.
const LONGEST_NAP_MS = 30_000;

/**
 * Waits until a time of day has come.
 *
 * @param at milliseconds since the epoch.
 * @throws {RekeyError} `cancelled` when the program is asked to end.
 */
export async function waitUntil(at: number): Promise<void> {
  const ended = Promise.withResolvers<never>();
  const end = () => ended.reject(new RekeyError("cancelled", "Cancelled: nothing was changed"));
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  signals.forEach((signal) => Deno.addSignalListener(signal, end));
  try {
    for (let left; (left = at - Date.now()) > 0;) {
      await Promise.race([nap(Math.min(left, LONGEST_NAP_MS)), ended.promise]);
    }
  } finally {
    signals.forEach((signal) => Deno.removeSignalListener(signal, end));
  }
}

function nap(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
