import { within } from "../../../src/core/async.ts";
import { HANG_MS } from "./pause.ts";

/** How long work takes, in milliseconds; what hangs is given up. */
export async function took(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await within(HANG_MS, work());
  return performance.now() - began;
}
