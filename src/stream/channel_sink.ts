import type { AuditRow } from "../audit/events.ts";
import { delay } from "../core/async.ts";
import { RekeyError } from "../core/errors.ts";
import { fileIdentity } from "../files/files.ts";
import { type Channel, ChannelFault } from "../system/channels.ts";
import type { Sink } from "./sink.ts";

/** How a {@linkcode ChannelSink} gets its channel, and what it writes. */
export interface ChannelUse {
  /** For messages: a path, or `fd:3`. */
  readonly shown: string;
  /** The socket's path; `undefined` for a descriptor. */
  readonly path?: string | undefined;
  open(): Channel;
  /** The bytes of a row. @param keepsMessages whether the channel tells messages apart. */
  encode(row: AuditRow, keepsMessages: boolean): Uint8Array<ArrayBuffer>;
}

// The other end must have read these before the next ones are sent. A receiver's queue has room for 10 to 512 messages.
const ROWS_AT_ONCE = 64;

const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [1, 20];

/** A socket or an inherited descriptor. */
export class ChannelSink implements Sink {
  #channel: Channel | undefined;
  // What is left of a row that was taken in part. It comes first, so that no other row begins in the middle of it.
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array();

  constructor(private readonly use: ChannelUse) {}

  async send(rows: readonly AuditRow[], until: number, had: (seq: number) => void): Promise<void> {
    try {
      const channel = this.#channel ??= this.use.open();
      for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
        const some = rows.slice(from, from + ROWS_AT_ONCE);
        if (!await this.#sendSome(channel, some, until)) return;
        had(some.at(-1)!.seq);
      }
    } catch (error) {
      this[Symbol.dispose]();
      if (!(error instanceof ChannelFault)) throw error;
      throw new RekeyError("failed", `Cannot use ${this.use.shown}: ${error.message}`);
    }
  }

  identity(): string | undefined {
    return this.use.path === undefined ? undefined : fileIdentity(this.use.path);
  }

  /** @returns whether the other end has read them in time. */
  async #sendSome(channel: Channel, rows: readonly AuditRow[], until: number): Promise<boolean> {
    const write = () => {
      const taken = channel.write(this.#rest);
      this.#rest = this.#rest.subarray(taken);
      return this.#rest.length === 0;
    };
    if (this.#rest.length > 0 && !await inTime(write, until)) return false;
    for (const row of rows) {
      const whole = this.#rest = this.use.encode(row, channel.keepsMessages);
      if (await inTime(write, until)) continue;
      // Nothing of it is on the way: the next attempt begins with another row.
      if (this.#rest.length === whole.length) this.#rest = new Uint8Array();
      return false;
    }
    return await inTime(() => channel.isRead(), until);
  }

  [Symbol.dispose](): void {
    this.#channel?.[Symbol.dispose]();
    this.#channel = undefined;
    // A new connection begins with a new row; a descriptor stays what it is.
    if (this.use.path !== undefined) this.#rest = new Uint8Array();
  }
}

/** Repeats until it succeeds, or the time is over. @returns whether it did. */
async function inTime(attempt: () => boolean, until: number): Promise<boolean> {
  for (let pause = FIRST_PAUSE_MS; !attempt(); pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    if (performance.now() >= until) return false;
    await delay(pause);
  }
  return true;
}
