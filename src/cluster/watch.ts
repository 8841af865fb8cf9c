// A watch reports a change within milliseconds; a busy machine takes longer.
const LATE_MS = 1_000;

/** One watch on etcd, and whether it still reports changes. */
export class StateWatch {
  readonly #closing = new AbortController();
  #reported = false;
  #missingSince: number | undefined;
  readonly #since = performance.now();

  /** @param onChange is called for each change that it reports. */
  constructor(private readonly onChange: () => void) {}

  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  notify(): void {
    this.#reported = true;
    this.#missingSince = undefined;
    this.onChange();
  }

  /** Whether it has lasted a while: one that ends at once would do so again. */
  get isTried(): boolean {
    return performance.now() - this.#since >= LATE_MS;
  }

  close(): void {
    this.#closing.abort();
  }

  /**
   * Asked after each read of etcd: whether the watch has missed a change for too long. A read may be faster than the
   * watch, whose event is then on its way.
   *
   * @param overtaken whether the read found a change.
   */
  isStalled(overtaken: boolean): boolean {
    const now = performance.now();
    if (overtaken && !this.#reported) this.#missingSince ??= now;
    this.#reported = false;
    return this.#missingSince !== undefined && now - this.#missingSince >= LATE_MS;
  }
}
