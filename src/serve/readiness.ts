import { within } from "../core/async.ts";
import type { ErrorCode } from "../core/errors.ts";

/** A request thread: see `RequestThread.trouble`. */
interface Asked {
  trouble(): Promise<ErrorCode | null>;
}

/**
 * Why a request thread cannot verify tokens: the code that /readyz answers with; `undefined` if it can. Where a keyring
 * waits for its user, /readyz waits too and ends in `keyring_timeout`, which is the answer here once `milliseconds` are
 * over.
 */
export async function troubleWithin(
  milliseconds: number,
  thread: Asked,
): Promise<ErrorCode | undefined> {
  const trouble = await within(milliseconds, thread.trouble());
  return trouble === undefined ? "keyring_timeout" : trouble ?? undefined;
}
