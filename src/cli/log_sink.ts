import { within } from "../core/async.ts";

// Characters. An active reader leaves less.
const MOST_WAITING = 4 * 2 ** 20;

/**
 * Writes the access log to stdout. A slow or missing reader must not block the server: lines that do not fit are dropped,
 * and their number is logged later.
 */
export class LogSink {
  #waiting: string[] = [];
  #characters = 0;
  #dropped = 0;
  #writing: Promise<void> | undefined;

  constructor(private readonly stream: { write(data: Uint8Array): Promise<number> }) {}

  write(line: string): void {
    if (this.#characters + line.length > MOST_WAITING) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(line);
    this.#characters += line.length;
    this.#writing ??= this.#drain().finally(() => this.#writing = undefined);
  }

  /** Waits until everything is written, or for `milliseconds`. */
  async flush(milliseconds: number): Promise<void> {
    await within(milliseconds, Promise.resolve(this.#writing));
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      const lost = this.#dropped + lines.length;
      if (this.#dropped > 0) lines.push(JSON.stringify({ dropped_lines: this.#dropped }));
      this.#waiting = [];
      this.#characters = this.#dropped = 0;
      try {
        await this.#writeAll(new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")));
      } catch {
        // The reader is gone or the disk is full: the server continues.
        this.#dropped += lost;
      }
    }
  }

  async #writeAll(data: Uint8Array): Promise<void> {
    let rest = data;
    while (rest.length > 0) rest = rest.subarray(await this.stream.write(rest));
  }
}
