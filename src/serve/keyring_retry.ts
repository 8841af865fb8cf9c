import { type Backoff, delay } from "../core/async.ts";
import { isRekeyError, type RekeyError } from "../core/errors.ts";
import type { KeyringStore } from "../store/keyring/keyring_store.ts";

// A keyring that is there and open answers sooner; one that is not is found out within the rest of 200 ms.
const USUAL_MS = 50;
const FINDING_OUT_MS = 90;
const BETWEEN_MS = 20;
const KEPT_MS = 10_000;

/**
 * How requests get values from the keyring, without waiting for one that is locked or silent: they are refused within
 * 200 ms, and the keyring goes on being asked in the background. What it answers late is there for the next request.
 */
export class KeyringRetryPolicy {
  readonly #late = new Map<string, { value: string; until: number }>();

  constructor(
    private readonly keyring: () => KeyringStore,
    private readonly backoff: Backoff,
    private readonly hasCopies: () => Promise<boolean>,
  ) {}

  /**
   * With a sealed copy in the database, which serves in the keyring's place, the whole time is waited.
   *
   * @param kid of the version whose value is fetched.
   * @param fetch gets it, however long that takes. Asked at the same time by several it must do it once.
   * @throws {RekeyError} why the keyring could not be used when it was last asked, at once, or now.
   */
  async value(kid: string, fetch: () => Promise<string>): Promise<string> {
    if (await this.hasCopies()) return await fetch();
    const late = this.#late.get(kid);
    if (late !== undefined) return late.value;
    const { failure, isOn } = this.backoff;
    if (failure !== undefined) {
      if (!isOn) this.#keep(kid, fetch());
      throw failure;
    }
    const fetching = fetch();
    const trouble = await Promise.race([fetching.then(nothing, nothing), this.#trouble()]);
    if (trouble === undefined) return await fetching;
    this.backoff.failed(trouble);
    this.#keep(kid, fetching);
    throw trouble;
  }

  /** Lets go of values that were not asked for in time. */
  forget(): void {
    for (const [kid, { until }] of this.#late) {
      if (performance.now() > until) this.#late.delete(kid);
    }
  }

  // The next request gets what was too late for this one; the thread that asks for it keeps it then.
  #keep(kid: string, fetching: Promise<string>): void {
    fetching.then((value) => {
      this.#late.set(kid, { value, until: performance.now() + KEPT_MS });
    }, (error) => {
      if (!isRekeyError(error)) throw error;
    });
  }

  // Never resolves when there is none.
  async #trouble(): Promise<RekeyError> {
    await delay(USUAL_MS);
    const end = performance.now() + FINDING_OUT_MS;
    let trouble: RekeyError | undefined;
    for (let left; (left = end - performance.now()) > 0; await delay(BETWEEN_MS)) {
      trouble = await this.keyring().trouble(left);
      // A wallet that is open may call itself locked until it is first used.
      if (trouble === undefined) break;
    }
    return trouble ?? await new Promise<never>(() => {});
  }
}

function nothing(): undefined {
  return undefined;
}
