import type { Verdict } from "./consumer.ts";

/** A connection to an IMAP server (RFC 3501). */
export class Imap implements Disposable {
  #text = "";

  private constructor(private readonly connection: Deno.Conn) {}

  /** Connects, and reads the greeting. */
  static async connect(port: number): Promise<Imap> {
    const imap = new Imap(await Deno.connect({ hostname: "127.0.0.1", port }));
    await imap.#line();
    return imap;
  }

  /** Logs in by SASL PLAIN (RFC 4616), with a token as the password. */
  async login(user: string, token: string): Promise<Verdict> {
    const answer = await this.command(`AUTHENTICATE PLAIN ${btoa(`\0${user}\0${token}`)}`);
    if (answer?.startsWith("OK")) return "accepted";
    return answer?.startsWith("NO [AUTHENTICATIONFAILED]") ? "refused" : "unavailable";
  }

  /** Whether a session that has logged in still answers. */
  async isAlive(): Promise<boolean> {
    return (await this.command("NOOP"))?.startsWith("OK") ?? false;
  }

  /** What it answers a command with: `OK …` or `NO …`; `undefined` when it has closed the connection. */
  async command(text: string): Promise<string | undefined> {
    try {
      await this.connection.write(new TextEncoder().encode(`a ${text}\r\n`));
      for (let line; (line = await this.#line()) !== undefined;) {
        if (line.startsWith("a ")) return line.slice(2);
        if (line.startsWith("* BYE")) return undefined;
      }
    } catch (error) {
      if (!isClosed(error)) throw error;
    }
    return undefined;
  }

  async #line(): Promise<string | undefined> {
    const buffer = new Uint8Array(4_096);
    while (!this.#text.includes("\r\n")) {
      const length = await this.connection.read(buffer);
      if (length === null) return undefined;
      this.#text += new TextDecoder().decode(buffer.subarray(0, length));
    }
    const at = this.#text.indexOf("\r\n");
    const line = this.#text.slice(0, at);
    this.#text = this.#text.slice(at + 2);
    return line;
  }

  [Symbol.dispose](): void {
    this.connection.close();
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset;
}
