import { within } from "../core/async.ts";

// More than a reader that is alive leaves waiting.
const MOST_WAITING = 4 * 2 ** 20;

/**
 * Lines of the access log on their way to stdout. A reader that is slow or gone must not hold the server:
 * what does not fit is dropped, and how much that was is said once there is room again.
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

  /** Settles when everything is written, or after so many milliseconds. */
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
        // Nobody reads it any more, or there is no room: whoever serves goes on.
        this.#dropped += lost;
      }
    }
  }

  async #writeAll(data: Uint8Array): Promise<void> {
    let rest = data;
    while (rest.length > 0) rest = rest.subarray(await this.stream.write(rest));
  }
}
