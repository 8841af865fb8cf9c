import { createHash } from "node:crypto";
import { newestHead } from "../audit/events.ts";
import { auditRowsAfter } from "../audit/reader.ts";
import { AuditSinks, type SinkCursor } from "../audit/sinks.ts";
import { retryWhileBusy } from "../core/async.ts";
import { asRefusal, isRekeyError, RekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import { nameSinks, noteSinks } from "../store/named_sinks.ts";
import { takeLock } from "../store/sqlite/lock.ts";
import { openSink } from "./open_sink.ts";
import type { Sink } from "./sink.ts";

/** Rows that are sent before their cursor is stored. */
const BATCH_ROWS = 512;

// Whoever has the lock looks for new rows when it has released it, so a long wait would be of no use.
const LOCK_WAIT_MS = 50;

/** Sends rows of the audit log to one sink: in order, each at least once. */
export class SinkSender implements Disposable {
  #sink: Sink | undefined;
  #isNamed = false;

  /** @param name as `sinkName` gives it. */
  constructor(readonly name: string) {}

  /** Whether there are rows that the sink has not had. */
  isBehind({ database }: Installation): boolean {
    const cursor = new AuditSinks(database).find(this.name);
    return cursor !== undefined && cursor.seq < (newestHead(database)?.seq ?? 0);
  }

  /** See {@linkcode Sink.identity}. */
  identity(): string | undefined {
    try {
      return this.#sink?.identity();
    } catch (error) {
      return asRefusal(error).message;
    }
  }

  /**
   * Sends what is missing, until a time of `performance.now()`. While another process sends to the same sink, it is left
   * to that one.
   *
   * @returns why rows are left: `sink_unusable`; `undefined` when none is, or when only the time is over.
   * @throws {RekeyError} when the database cannot be used.
   */
  async drain(installation: Installation, until: number): Promise<RekeyError | undefined> {
    this.#name(installation);
    while (this.isBehind(installation)) {
      const lock = await lockIfFree(lockOf(installation, this.name));
      if (lock === undefined) return undefined;
      let ended;
      try {
        ended = await this.#sendBatch(installation, until);
      } finally {
        lock[Symbol.dispose]();
      }
      if (ended.failure !== undefined || performance.now() >= until) return ended.failure;
    }
    return undefined;
  }

  // Here again, since the database may have been busy when it was opened. Later it may have been removed on purpose.
  #name(installation: Installation): void {
    if (!this.#isNamed) nameSinks(installation.database, [this.name]);
    this.#isNamed = true;
  }

  async #sendBatch(installation: Installation, until: number) {
    const cursor = new AuditSinks(installation.database).find(this.name);
    const rows = cursor === undefined
      ? []
      : auditRowsAfter(installation.database, cursor.seq, BATCH_ROWS);
    if (cursor === undefined || rows.length === 0) return { failure: undefined };
    let last = cursor.seq;
    let failure: RekeyError | undefined;
    try {
      this.#sink ??= await openSink(this.name, installation.environment.app.name);
      await this.#sink.send(rows, until, (seq) => last = seq);
    } catch (error) {
      failure = ofSink(asRefusal(error));
    }
    // A few rows of many have arrived in the time: that is slow, and no failure.
    if (last === cursor.seq) failure ??= notTaken(this.name);
    this.#note(installation, cursor, last, failure);
    return { failure };
  }

  #note(installation: Installation, before: SinkCursor, last: number, failure?: RekeyError): void {
    const isFurther = last > before.seq;
    // A retry every few seconds must not write each time.
    if (!isFurther && failure?.message === before.error) return;
    noteSinks(installation.database, (sinks) => {
      if (isFurther) sinks.sent(this.name, last);
      if (failure !== undefined) sinks.failed(this.name, installation.now(), failure.message);
    });
  }

  [Symbol.dispose](): void {
    this.#sink?.[Symbol.dispose]();
    this.#sink = undefined;
  }
}

function notTaken(name: string): RekeyError {
  return new RekeyError("sink_unusable", `Cannot use ${name}: its other end does not read`);
}

// Other files are the database's or of a delivery.
function ofSink(cause: RekeyError): RekeyError {
  const { message, hint } = cause;
  return new RekeyError("sink_unusable", message, hint === undefined ? { cause } : { hint, cause });
}

/** Path of a sink's lock, beside the database. */
function lockOf({ database }: Installation, name: string): string {
  const id = createHash("sha256").update(name).digest("hex").slice(0, 16);
  return `${database.path}.sink-${id}.lock`;
}

async function lockIfFree(path: string): Promise<Disposable | undefined> {
  try {
    return await retryWhileBusy(LOCK_WAIT_MS, () => Promise.resolve(takeLock(path, 0)));
  } catch (error) {
    if (isRekeyError(error, "busy")) return undefined;
    throw error;
  }
}
