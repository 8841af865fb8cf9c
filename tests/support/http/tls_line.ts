import type { Box } from "../process/box.ts";
import { start } from "../../../scripts/program.ts";

/** The name in the subject of the certificate that a new connection is shown. */
export async function servedName(box: Box, port: string): Promise<string | undefined> {
  const { stdout } = await box.exec("openssl", ["s_client", "-connect", `127.0.0.1:${port}`], {
    stdin: "",
  });
  return /^subject=CN = (\S+)$/m.exec(stdout)?.[1];
}

/** One TLS connection that stays open for several requests. */
export class TlsLine implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;

  constructor(port: string) {
    this.#process = start(
      "openssl",
      ["s_client", "-quiet", "-no_ign_eof", "-connect", `127.0.0.1:${port}`],
      { stdin: "piped", stdout: "piped" },
    );
    this.#writer = this.#process.stdin.getWriter();
    this.#reader = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The first line of the answer to a request without a body. @throws when the connection is gone. */
  async ask(path: string): Promise<string> {
    const request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    await this.#writer.write(new TextEncoder().encode(request));
    let text = "";
    while (!text.includes("}")) {
      const { done, value } = await this.#reader.read();
      if (done) throw new Error(`the connection was closed after ${JSON.stringify(text)}`);
      text += value;
    }
    return text.split("\r\n")[0]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It ends with its input, and may have ended with its server.
    await this.#writer.close().catch(() => {});
    await this.#reader.cancel();
    await this.#process.status;
  }
}
