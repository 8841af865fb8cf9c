import { pause } from "../../timing/pause.ts";

const TRIES = 600;

/** Waits until something is so, for half a minute at most. @throws when it never was, with what it last threw. */
export async function eventually(
  what: string,
  isSo: () => boolean | Promise<boolean>,
): Promise<void> {
  let cause: unknown;
  for (let tries = 0; tries < TRIES; tries++) {
    try {
      if (await isSo()) return;
    } catch (error) {
      cause = error;
    }
    await pause(50);
  }
  throw new Error(`Waited in vain: ${what}`, { cause });
}
