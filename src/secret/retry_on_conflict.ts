import { RekeyError } from "../core/errors.ts";
import { LOCK_TIMEOUT_MS } from "../core/text.ts";

/**
 * Makes a change of what machines share, again for as long as another one is first each time.
 *
 * @param attempt answers `undefined` when another machine was first.
 * @throws {RekeyError} `busy` when others were first for so long.
 */
export async function retryOnConflict<T>(
  attempt: () => Promise<T | undefined>,
  waitMs = LOCK_TIMEOUT_MS,
): Promise<T> {
  for (const end = performance.now() + waitMs;;) {
    const made = await attempt();
    if (made !== undefined) return made;
    if (performance.now() > end) throw othersFirst();
  }
}

function othersFirst(): RekeyError {
  return new RekeyError(
    "busy",
    "Cannot change what machines share: another one was first each time",
    { hint: "See `rekey status` whether it is still wanted" },
  );
}
