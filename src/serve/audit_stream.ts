import { asRefusal } from "../core/errors.ts";
import type { Environment } from "../store/environment.ts";
import { StreamKeeper } from "../stream/keeper.ts";

const LOOK_EVERY_MS = 250;

// A sink that takes little must not keep a row from the others for longer.
const TICK_MS = 1_000;

/** How long sinks may delay the end, in milliseconds. */
const STOP_MS = 500;

/** What an {@linkcode AuditStream} needs. */
interface StreamContext {
  readonly environment: Environment;
  warn(text: string): void;
  remark(text: string): void;
  /** Called with an error that is a bug: nothing is sent any more. */
  onBug(error: unknown): void;
}

/** A sink that has failed, for people. */
export function streamWarning(message: string): string {
  return `the audit log waits to be sent: ${message}`;
}

/** Sends the audit log to its sinks while a program goes on, and tells the operator of each change once. */
export class AuditStream {
  readonly #keeper: StreamKeeper | undefined;
  readonly #timer: ReturnType<typeof setInterval> | undefined;
  #running: Promise<void> | undefined;
  #trouble: string | undefined;

  constructor(private readonly context: StreamContext) {
    const { environment, warn, remark } = context;
    if (environment.auditTo === undefined) return;
    this.#keeper = new StreamKeeper(environment, (sink, failure) => {
      if (failure === undefined) remark(`the audit log is sent to ${sink} again`);
      else warn(streamWarning(failure.message));
    });
    this.#timer = setInterval(() => this.#run(TICK_MS), LOOK_EVERY_MS);
    this.#run(TICK_MS);
  }

  /** Sends what can be sent at once, and ends. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
    await this.#run(STOP_MS);
    this.#keeper?.[Symbol.dispose]();
  }

  // Never twice at the same time.
  #run(limitMs: number): Promise<void> {
    return this.#running ??= this.#tick(limitMs).catch((error) => this.#fail(error))
      .finally(() => this.#running = undefined);
  }

  // It would come again with each look.
  #fail(error: unknown): void {
    clearInterval(this.#timer);
    this.context.onBug(error);
  }

  async #tick(limitMs: number): Promise<void> {
    try {
      await this.#keeper?.tick(limitMs);
      this.#trouble = undefined;
    } catch (error) {
      const { code, message } = asRefusal(error);
      if (this.#trouble !== code) this.context.warn(streamWarning(message));
      this.#trouble = code;
    }
  }
}
