import { Backoff } from "../core/backoff.ts";
import type { RekeyError } from "../core/errors.ts";
import type { Environment } from "../store/environment.ts";
import { Installation } from "../store/installation.ts";
import { SinkSender } from "./sender.ts";

/** How long all sinks together may delay the end of a command, in milliseconds. */
export const COMMAND_MS = 500;

/** Sends what is missing to the named sinks, all at the same time. @returns why some of them cannot be used. */
export async function sendNow(installation: Installation): Promise<RekeyError[]> {
  const until = performance.now() + COMMAND_MS;
  const senders = namedBy(installation);
  try {
    const failures = await Promise.all(senders.map((sender) => sender.drain(installation, until)));
    return failures.filter((failure) => failure !== undefined);
  } finally {
    senders.forEach((sender) => sender[Symbol.dispose]());
  }
}

function namedBy({ environment: { auditTo = [] } }: Installation): SinkSender[] {
  return auditTo.map((name) => new SinkSender(name));
}

/** What became of a sink. @param failure `undefined` when it works again. */
export type Tell = (sink: string, failure: RekeyError | undefined) => void;

interface KeptSink {
  readonly sender: SinkSender;
  readonly backoff: Backoff;
  /** Of the sink that has failed. */
  identity: string | undefined;
}

/** Keeps the sinks up to date in a program that goes on, whichever process has logged. */
export class StreamKeeper implements Disposable {
  readonly #sinks: readonly KeptSink[];
  // Of its own: one that others use is closed by them, perhaps while rows are being sent.
  #installation: Installation | undefined;

  constructor(private readonly environment: Environment, private readonly tell: Tell) {
    const { auditTo = [] } = environment;
    this.#sinks = auditTo.map((name) => ({
      sender: new SinkSender(name),
      backoff: new Backoff(),
      identity: undefined,
    }));
  }

  /**
   * Sends what is missing. To be called several times a second; it costs little when nothing has changed.
   *
   * @param limitMs how long at most, in milliseconds.
   * @throws {RekeyError} when the database cannot be used.
   */
  async tick(limitMs: number): Promise<void> {
    if (this.#installation?.database.wasReplaced()) this.#close();
    const installation = this.#installation ??= Installation.openExisting(this.environment);
    if (installation === undefined) return;
    const until = performance.now() + limitMs;
    await Promise.all(this.#sinks.map((sink) => this.#send(sink, installation, until)));
  }

  async #send(kept: KeptSink, installation: Installation, until: number): Promise<void> {
    const { sender, backoff } = kept;
    // A daemon that was started again has another socket, which is noticed before the pause is over.
    if (backoff.isOn && sender.identity() === kept.identity) return;
    const before = backoff.failure;
    const failure = await sender.drain(installation, until);
    if (failure === undefined) {
      if (before === undefined || sender.isBehind(installation)) return;
      backoff.succeeded();
      return this.tell(sender.name, undefined);
    }
    backoff.failed(failure);
    kept.identity = sender.identity();
    if (before?.message !== failure.message) this.tell(sender.name, failure);
  }

  #close(): void {
    this.#installation?.close();
    this.#installation = undefined;
  }

  [Symbol.dispose](): void {
    this.#sinks.forEach(({ sender }) => sender[Symbol.dispose]());
    this.#close();
  }
}
