import { Buffer } from "node:buffer";
import { HANG_MS, until } from "../timing/pause.ts";

/** One answer, as it came over the line. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** A TCP connection on which a test writes what `fetch` would not. Texts are Latin-1: a character is a byte. */
export class Line implements Disposable {
  /** Everything that has come. */
  heard = "";
  /** Settles when the other end has closed. */
  readonly closed: Promise<void>;

  private constructor(readonly connection: Deno.TcpConn) {
    this.closed = this.#read();
  }

  static async to(port: number): Promise<Line> {
    return new Line(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async say(text: string): Promise<void> {
    for (let rest = Buffer.from(text, "latin1"); rest.length > 0;) {
      rest = rest.subarray(await this.connection.write(rest));
    }
  }

  /** Waits until so many answers have come. @throws after 20 seconds, or when the other end closes before. */
  async replies(count: number): Promise<Reply[]> {
    let gone = false;
    this.closed.then(() => gone = true);
    const otherwise = () =>
      `${count} answers were due: ${JSON.stringify(this.heard.slice(0, 500))}`;
    const haveCome = () => parse(this.heard).length >= count;
    await until(haveCome, { every: 5, hopeless: () => gone, otherwise });
    return parse(this.heard);
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      for (;;) {
        const count = await this.connection.read(buffer);
        if (count === null) return;
        this.heard += Buffer.from(buffer.subarray(0, count)).toString("latin1");
      }
    } catch {
      // Reset by the other end, or closed by this one: no more comes either way.
    }
  }

  [Symbol.dispose](): void {
    try {
      this.connection.close();
    } catch {
      // The runtime closes what was reset.
    }
  }
}

/** Says everything, unless the answer comes before, and answers what was heard until the other end closed. */
export async function converse(port: number, parts: Iterable<string>): Promise<string> {
  using line = await Line.to(port);
  const timer = setTimeout(() => line[Symbol.dispose](), HANG_MS);
  try {
    for (const part of parts) {
      if (line.heard !== "") break;
      await line.say(part);
    }
  } catch (error) {
    if (!/pipe|reset/i.test(String(error))) throw error;
  }
  await line.closed;
  clearTimeout(timer);
  return line.heard;
}

/** The whole answers in a text. An answer without a length has no body. */
export function parse(text: string): Reply[] {
  const replies: Reply[] = [];
  for (let rest = text; rest.includes("\r\n\r\n");) {
    const end = rest.indexOf("\r\n\r\n");
    const [first, ...fields] = rest.slice(0, end).split("\r\n");
    const headers = new Headers(
      fields.map((field) => [field.split(":")[0]!, field.slice(field.indexOf(":") + 1).trim()]),
    );
    const length = Number(headers.get("content-length") ?? 0);
    const body = rest.slice(end + 4, end + 4 + length);
    replies.push({ status: Number(first!.split(" ")[1]), headers, body });
    rest = rest.slice(end + 4 + length);
  }
  return replies;
}

/** How much memory a process has resident now, and had at most, in MiB. */
export function memory(pid: number): { now: number; most: number } {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const field = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)![1]) / 1024;
  return { now: field("VmRSS"), most: field("VmHWM") };
}
