import type { Verdict } from "./consumer.ts";

const HEADER = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' to='localhost' " +
  "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

/** A client's stream to an XMPP server for `localhost` (RFC 6120). */
export class Xmpp implements Disposable {
  private constructor(private readonly connection: Deno.Conn) {}

  /** Connects, and opens a stream. */
  static async connect(port: number): Promise<Xmpp> {
    const stream = new Xmpp(await Deno.connect({ hostname: "127.0.0.1", port }));
    await stream.#ask(HEADER, /<\/stream:features>/);
    return stream;
  }

  /** Logs in by SASL PLAIN, with a token as the password. */
  async login(user: string, token: string): Promise<Verdict> {
    const auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>";
    const answer = await this.#ask(`${auth}${btoa(`\0${user}\0${token}`)}</auth>`, ENDS_LOGIN);
    if (answer.includes("<success")) return "accepted";
    return answer.includes("<not-authorized") ? "refused" : "unavailable";
  }

  /** Begins the session of a stream that has logged in. */
  async bind(): Promise<void> {
    await this.#ask(HEADER, /<\/stream:features>/);
    const bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
    await this.#ask(`<iq type='set' id='bind'>${bind}</iq>`, /<\/iq>/);
  }

  /** Whether the session still answers; an error is an answer. */
  async isAlive(): Promise<boolean> {
    const ping = "<iq type='get' id='ping' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>";
    return (await this.#ask(ping, /<\/iq>|<\/stream:stream>/)).includes("</iq>");
  }

  /** @returns what came until something that matches, or until the server closed the connection. */
  async #ask(text: string, ends: RegExp): Promise<string> {
    let answer = "";
    const buffer = new Uint8Array(4_096);
    try {
      await this.connection.write(new TextEncoder().encode(text));
      while (!ends.test(answer)) {
        const length = await this.connection.read(buffer);
        if (length === null) break;
        answer += new TextDecoder().decode(buffer.subarray(0, length));
      }
    } catch (error) {
      const closed = [Deno.errors.BrokenPipe, Deno.errors.ConnectionReset];
      if (!closed.some((kind) => error instanceof kind)) throw error;
    }
    return answer;
  }

  [Symbol.dispose](): void {
    this.connection.close();
  }
}

const ENDS_LOGIN = /<success|<\/failure>/;
