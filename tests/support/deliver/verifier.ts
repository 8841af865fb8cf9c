import { join } from "node:path";
import { start } from "../../../scripts/program.ts";
import { freePort } from "../http/ports.ts";
import { until } from "../timing/pause.ts";

/** When a {@linkcode Verifier} reads its keys. */
export type Reads = "each" | "hangup";

/** A program that checks tokens by itself, with the JWK Set that it was delivered. */
export class Verifier implements AsyncDisposable {
  #process: Deno.ChildProcess | undefined;
  readonly url: string;

  private constructor(
    private readonly port: number,
    private readonly file: string,
    private readonly reads: Reads,
  ) {
    this.url = `http://127.0.0.1:${port}/`;
  }

  /** Starts one. A file for `hangup` must be there. */
  static async start(file: string, reads: Reads = "each"): Promise<Verifier> {
    const verifier = new Verifier(freePort(), file, reads);
    await verifier.restart();
    return verifier;
  }

  get pid(): number {
    return this.#process!.pid;
  }

  /** Ends it, and starts it again on the same port. */
  async restart(): Promise<void> {
    await this.stop();
    const script = join(import.meta.dirname!, "verifier.py");
    const args = [script, String(this.port), this.file, this.reads];
    this.#process = start("/usr/bin/python3", args, { stderr: "inherit" });
    await until(async () => {
      const response = await fetch(this.url);
      await response.body?.cancel();
      return response.status === 401;
    });
  }

  async stop(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.status;
    this.#process = undefined;
  }

  /** Whether it accepts a token. */
  async accepts(token: string): Promise<boolean> {
    const response = await fetch(this.url, { headers: { Authorization: `Bearer ${token}` } });
    await response.body?.cancel();
    return response.status === 200;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
