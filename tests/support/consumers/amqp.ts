import { Buffer } from "node:buffer";
import type { Verdict } from "./consumer.ts";

const METHOD = 1;
const FRAME_END = 0xce;
const [START, TUNE, OPEN_OK, CLOSE] = ["10.10", "10.30", "10.41", "10.50"];
const CHANNEL_OPEN_OK = "20.11";

/** A connection to an AMQP broker (AMQP 0-9-1) that does nothing but log in and open channels. */
export class Amqp implements Disposable {
  #bytes = Buffer.alloc(0);
  #channels = 0;
  #isAsked = false;

  private constructor(private readonly connection: Deno.Conn) {}

  /** Connects, up to where it is asked who it is; a broker that is too busy closes instead. */
  static async connect(port: number): Promise<Amqp> {
    const amqp = new Amqp(await Deno.connect({ hostname: "127.0.0.1", port }));
    await amqp.#write(Buffer.from("AMQP\0\0\x09\x01", "latin1"));
    amqp.#isAsked = await amqp.#answers(START);
    return amqp;
  }

  /** Logs in by PLAIN, with a token as the password, and opens the virtual host. */
  async login(token: string): Promise<Verdict> {
    if (!this.#isAsked) return "unavailable";
    const [mechanism, locale] = ["PLAIN", "en_US"].map(shortString) as [Buffer, Buffer];
    await this.#send(0, 10, 11, PROPERTIES, mechanism, longString(`\0x\0${token}`), locale);
    const tuned = await this.#verdict(TUNE);
    if (tuned !== "accepted") return tuned;
    // 2,047 channels, frames of 128 KiB, no heartbeats: what the broker proposes but for the last.
    await this.#send(0, 10, 31, Buffer.from([0x07, 0xff, 0, 2, 0, 0, 0, 0]));
    await this.#send(0, 10, 40, shortString("/"), shortString(""), Buffer.from([0]));
    return await this.#verdict(OPEN_OK);
  }

  /** Whether it still opens channels. */
  async isAlive(): Promise<boolean> {
    await this.#send(++this.#channels, 20, 10, shortString(""));
    return await this.#answers(CHANNEL_OPEN_OK);
  }

  async #send(channel: number, type: number, method: number, ...parts: Buffer[]): Promise<void> {
    const head = Buffer.alloc(11);
    head.writeUInt8(METHOD, 0);
    head.writeUInt16BE(channel, 1);
    head.writeUInt32BE(4 + Buffer.concat(parts).length, 3);
    head.writeUInt16BE(type, 7);
    head.writeUInt16BE(method, 9);
    await this.#write(Buffer.concat([head, ...parts, Buffer.from([FRAME_END])]));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      for (let rest = bytes; rest.length > 0;) {
        rest = rest.subarray(await this.connection.write(rest));
      }
    } catch (error) {
      if (!isClosed(error)) throw error;
    }
  }

  async #verdict(accepting: string): Promise<Verdict> {
    const method = await this.#method();
    if (method === accepting) return "accepted";
    return method === CLOSE ? "refused" : "unavailable";
  }

  async #answers(method: string): Promise<boolean> {
    return await this.#method() === method;
  }

  /** The next method, as `class.method`; `undefined` when the connection was closed. */
  async #method(): Promise<string | undefined> {
    for (;;) {
      const head = await this.#take(7);
      const body = head && await this.#take(head.readUInt32BE(3) + 1);
      if (head === undefined || body === undefined) return undefined;
      if (head[0] === METHOD) return `${body.readUInt16BE(0)}.${body.readUInt16BE(2)}`;
    }
  }

  async #take(length: number): Promise<Buffer | undefined> {
    const part = new Uint8Array(8_192);
    while (this.#bytes.length < length) {
      const got = await this.connection.read(part).catch((error: unknown) => {
        if (isClosed(error)) return null;
        throw error;
      });
      if (got === null) return undefined;
      this.#bytes = Buffer.concat([this.#bytes, part.subarray(0, got)]);
    }
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }

  [Symbol.dispose](): void {
    this.connection.close();
  }
}

function shortString(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
}

function longString(text: string | Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, Buffer.from(text)]);
}

// A table is written like a string. With this one the broker says that it refuses, and does not just close.
const PROPERTIES = longString(Buffer.concat([
  shortString("capabilities"),
  Buffer.from("F"),
  longString(Buffer.concat([
    shortString("authentication_failure_close"),
    Buffer.from("t\x01"),
  ])),
]));

function isClosed(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset;
}
