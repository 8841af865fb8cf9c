import { within } from "../../../src/core/async.ts";
import { HANG_MS } from "./pause.ts";

/** How long work takes, in milliseconds; what hangs is given up. */
export async function took(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await within(HANG_MS, work());
  return performance.now() - began;
}

const MOST_TRIES = 4;

/**
 * The shortest time that work takes, in milliseconds: a machine that is busy with something else may stop it once, and
 * makes nothing shorter.
 *
 * @param isShort whether a time is so short that work is not done once more.
 */
export async function quickest(
  isShort: (ms: number) => boolean,
  work: () => Promise<unknown>,
): Promise<number> {
  let least = Infinity;
  for (let tries = 0; tries < MOST_TRIES && !isShort(least); tries++) {
    least = Math.min(least, await took(work));
  }
  return least;
}
