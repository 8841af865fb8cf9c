/** Whoever has taken so long hangs, in milliseconds: on a machine that is busy all else ends sooner. */
export const HANG_MS = 120_000;

/** Waits. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** How {@linkcode until} waits, where it is not as usual. */
export interface Waiting {
  /** For how long at most, in milliseconds; {@linkcode HANG_MS}. */
  readonly within?: number;
  /** How long between two looks, in milliseconds; 20. */
  readonly every?: number;
  /** Whether it can no longer come to be so: the program has ended. */
  readonly hopeless?: () => boolean;
  /** What the error says; what was seen instead says most. */
  readonly otherwise?: string | (() => string | Promise<string>);
}

/**
 * Waits until something is so. A look that throws counts as "not yet".
 *
 * @throws when it is not so in time, with what the last look threw as the cause.
 */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  { within = HANG_MS, every = 20, hopeless = () => false, otherwise }: Waiting = {},
): Promise<void> {
  let cause: unknown;
  for (const end = Date.now() + within;; await pause(every)) {
    const isLast = hopeless() || Date.now() > end;
    try {
      if (await isSo()) return;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (!isLast) continue;
    const why = typeof otherwise === "function" ? await otherwise() : otherwise;
    throw new Error(why ?? `Not so within ${within} ms: ${isSo}`, { cause });
  }
}
