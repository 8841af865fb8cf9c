import { delay } from "../core/async.ts";
import type { Backoff } from "../core/backoff.ts";
import { isRekeyError, type RekeyError } from "../core/errors.ts";
import type { KeyringStore } from "../store/keyring/keyring_store.ts";

// An unlocked keyring answers within 50 ms. After that, its state is polled, so that a request fails within 200 ms.
const USUAL_MS = 50;
const POLL_FOR_MS = 90;
const POLL_EVERY_MS = 20;
// On an overloaded machine the bus is slow too, and a single look may take this long.
const LONGEST_LOOK_MS = 400;

/** How long a value that came too late is kept for the next request. */
const KEPT_MS = 10_000;

/**
 * Fetches values from the keyring for requests, which must not wait for a keyring that is locked or does not respond:
 * they fail within 200 ms. The call to the keyring continues in the background, and a value that comes too late serves
 * the next request.
 */
export class KeyringRetryPolicy {
  readonly #late = new Map<string, { value: string; until: number }>();

  constructor(
    private readonly keyring: () => KeyringStore,
    private readonly backoff: Backoff,
    private readonly hasCopies: () => Promise<boolean>,
  ) {}

  /**
   * If the database has sealed copies, `fetch` may take its time: it falls back to them.
   *
   * @param kid of the version.
   * @param fetch gets the value without a time limit. Concurrent calls must share one call to the keyring.
   * @throws {RekeyError} why the keyring is unavailable; during the backoff, the last failure.
   */
  async value(kid: string, fetch: () => Promise<string>): Promise<string> {
    if (await this.hasCopies()) return await fetch();
    const late = this.#late.get(kid);
    if (late !== undefined) return late.value;
    const { failure, isOn } = this.backoff;
    if (failure !== undefined) {
      if (!isOn) this.#keepLate(kid, fetch());
      throw failure;
    }
    const fetching = fetch();
    const trouble = await Promise.race([fetching.then(nothing, nothing), this.#trouble()]);
    if (trouble === undefined) return await fetching;
    this.backoff.failed(trouble);
    this.#keepLate(kid, fetching);
    throw trouble;
  }

  /** Drops late values that no request asked for in time. */
  dropExpired(): void {
    for (const [kid, { until }] of this.#late) {
      if (performance.now() > until) this.#late.delete(kid);
    }
  }

  // A request thread that gets the value keeps it, so it is needed here only for a short time.
  #keepLate(kid: string, fetching: Promise<string>): void {
    fetching.then((value) => {
      this.#late.set(kid, { value, until: performance.now() + KEPT_MS });
    }, (error) => {
      if (!isRekeyError(error)) throw error;
    });
  }

  // Never resolves if the keyring has no trouble.
  async #trouble(): Promise<RekeyError> {
    await delay(USUAL_MS);
    const end = performance.now() + POLL_FOR_MS;
    let trouble: RekeyError | undefined;
    for (let limit = POLL_FOR_MS; limit <= LONGEST_LOOK_MS; await delay(POLL_EVERY_MS)) {
      const found = await this.keyring().trouble(limit);
      // An unlocked keyring may report itself as locked until its first use: then a later look finds no trouble.
      if (found === "open") return await never();
      if (found === "unknown") limit *= 2;
      else trouble = found;
      if (trouble !== undefined && performance.now() + POLL_EVERY_MS >= end) return trouble;
    }
    return trouble ?? await never();
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}

function nothing(): undefined {
  return undefined;
}
