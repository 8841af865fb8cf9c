import { ClosedBeforeAnswer, KeptConnection } from "./kept_connection.ts";
import { pause, until } from "../timing/pause.ts";

/** Requests with valid tokens, without a break, over connections that are kept open. */
export class Load implements AsyncDisposable {
  /** How many requests were answered, by status. */
  readonly statuses: Record<number, number> = {};
  /** How many were sent again, since their connection was closed before the answer. */
  retried = 0;
  #over = false;
  /** How many answers each connection has had. */
  readonly #answered: number[] = [];
  readonly #workers: Promise<void>[];

  /** @param tokens may grow meanwhile: each is valid. @param rate requests a second at most. */
  constructor(
    private readonly port: number,
    private readonly tokens: readonly string[],
    { connections = 8, rate = 1_000 }: { connections?: number; rate?: number } = {},
  ) {
    const share = rate / connections;
    this.#workers = Array.from({ length: connections }, (_, at) => this.#work(at, share));
  }

  get count(): number {
    return Object.values(this.statuses).reduce((sum, count) => sum + count, 0);
  }

  async #work(first: number, rate: number): Promise<void> {
    const began = performance.now();
    this.#answered[first] = 0;
    let connection = await KeptConnection.to(this.port);
    for (let sent = 0; !this.#over; sent++) {
      const ahead = began + 1_000 * sent / rate - performance.now();
      if (ahead > 0) await pause(ahead);
      const token = this.tokens[(first + sent) % this.tokens.length]!;
      try {
        const status = await connection.ask(token);
        this.statuses[status] = (this.statuses[status] ?? 0) + 1;
        this.#answered[first]!++;
      } catch (error) {
        if (!(error instanceof ClosedBeforeAnswer)) throw error;
        this.retried++;
        connection[Symbol.dispose]();
        connection = await KeptConnection.to(this.port);
      }
    }
    connection[Symbol.dispose]();
  }

  /** Waits until every request that has been sent by now is answered. */
  async allAnswered(): Promise<void> {
    const before = this.#answered.slice();
    await until(() => before.every((count, at) => this.#answered[at]! > count + 1));
  }

  /** Ends it. @throws what went wrong. */
  async end(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#workers);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}
