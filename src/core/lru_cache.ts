/** How much an {@linkcode LruCache} keeps at most: that many entries, with keys of that many characters together. */
export interface CacheLimits {
  readonly entries: number;
  readonly characters: number;
}

/**
 * Remembers values by text, those that were used last. When one half is full the other one is forgotten, all at once:
 * the oldest entries of a `Map` cannot be taken out one by one, since it walks past the places of all that were taken
 * out before to find the next.
 */
export class LruCache<V extends object> {
  #newer = new Map<string, V>();
  #older = new Map<string, V>();
  // Of the newer half.
  #characters = 0;

  constructor(private readonly limits: CacheLimits) {}

  /** How many entries there are; one that was used again may count twice. */
  get size(): number {
    return this.#newer.size + this.#older.size;
  }

  get(key: string): V | undefined {
    const value = this.#newer.get(key);
    if (value !== undefined) return value;
    const older = this.#older.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: string, value: V): void {
    if (!this.#newer.has(key)) this.#makeRoom(key.length);
    this.#newer.set(key, value);
  }

  clear(): void {
    this.#newer.clear();
    this.#older.clear();
    this.#characters = 0;
  }

  #makeRoom(characters: number): void {
    const { limits } = this;
    const isFull = this.#newer.size + 1 > limits.entries / 2 ||
      this.#characters + characters > limits.characters / 2;
    if (isFull) {
      this.#older = this.#newer;
      this.#newer = new Map();
      this.#characters = 0;
    }
    this.#characters += characters;
  }
}
