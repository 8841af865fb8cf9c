/** Shares a task among those who ask for the same while it runs. */
export class SingleFlight<T> {
  readonly #running = new Map<string, Promise<T>>();

  /** Runs `task`, or waits for the one that runs under this name. */
  once(name: string, task: () => Promise<T>): Promise<T> {
    const running = this.#running.get(name);
    if (running !== undefined) return running;
    const started = task().finally(() => this.#running.delete(name));
    this.#running.set(name, started);
    return started;
  }
}
