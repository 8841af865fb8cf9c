// A watch tells within milliseconds what a look has found; a busy machine takes longer.
const LATE_MS = 1_000;

/** One watch on etcd: what it has told, and whether it still tells anything. */
export class Ear {
  readonly #closing = new AbortController();
  #heard = false;
  #owes: number | undefined;
  readonly #since = performance.now();

  /** @param onSound is called whenever it hears something. */
  constructor(private readonly onSound: () => void) {}

  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  hear(): void {
    this.#heard = true;
    this.#owes = undefined;
    this.onSound();
  }

  /** Whether it has listened for a while: one that ends at once would do so again. */
  get isTried(): boolean {
    return performance.now() - this.#since >= LATE_MS;
  }

  close(): void {
    this.#closing.abort();
  }

  /**
   * Asked after each look at etcd: whether it has not told of something for long. A look that is made by the clock may
   * be faster than the watch, which is then on its way.
   *
   * @param overtaken whether the look has found something new.
   */
  isDeaf(overtaken: boolean): boolean {
    const now = performance.now();
    if (overtaken && !this.#heard) this.#owes ??= now;
    this.#heard = false;
    return this.#owes !== undefined && now - this.#owes >= LATE_MS;
  }
}
