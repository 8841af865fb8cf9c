import { Buffer } from "node:buffer";

/** The other end has closed the connection before it answered: a client may ask again on another one (RFC 9112 §9.5). */
export class ClosedBeforeAnswer extends Error {}

/** A connection that stays open from one request to the next, as long as the other end lets it. */
export class KeptConnection implements Disposable {
  readonly #buffer = Buffer.alloc(65_536);

  private constructor(private readonly connection: Deno.TcpConn) {}

  static async to(port: number): Promise<KeptConnection> {
    return new KeptConnection(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** The status that a request with a token gets. @throws {ClosedBeforeAnswer} */
  async ask(token: string, path = "/"): Promise<number> {
    await this.say(requestOf(token, path));
    return await this.answer();
  }

  /** Sends a part of a request. @throws {ClosedBeforeAnswer} */
  async say(text: string): Promise<void> {
    try {
      for (let rest = Buffer.from(text); rest.length > 0;) {
        rest = rest.subarray(await this.connection.write(rest));
      }
    } catch (error) {
      throw new ClosedBeforeAnswer("the connection is closed", { cause: error });
    }
  }

  /** The status of the next answer, whose body has a known length. @throws {ClosedBeforeAnswer} */
  async answer(): Promise<number> {
    for (let heard = "";;) {
      const count = await this.#read();
      if (count === null) throw new ClosedBeforeAnswer(`heard ${JSON.stringify(heard)}`);
      heard += this.#buffer.toString("latin1", 0, count);
      const end = heard.indexOf("\r\n\r\n");
      if (end < 0) continue;
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(heard.slice(0, end + 2))?.[1] ?? 0);
      if (heard.length >= end + 4 + length) return Number(heard.slice(9, 12));
    }
  }

  async #read(): Promise<number | null> {
    try {
      return await this.connection.read(this.#buffer);
    } catch {
      // Reset.
      return null;
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

/** A whole request with a token. */
export function requestOf(token: string, path = "/"): string {
  return `GET ${path} HTTP/1.1\r\nHost: app.example.com\r\nAuthorization: Bearer ${token}\r\n\r\n`;
}
