import { type Box, REKEY } from "../process/box.ts";
import { pause, until } from "../timing/pause.ts";
import { start } from "../../../scripts/program.ts";

/** How {@linkcode Serving.start} is called differently when asked. */
export interface ServingOptions {
  readonly env?: Record<string, string>;
  /** A shell's line that runs before the server, in its process: `ulimit -n 200`. */
  readonly before?: string;
  /** What is started as rekey, with what comes before its arguments. */
  readonly rekey?: readonly string[];
}

/** A real `rekey serve` of a box, on a free port unless the arguments say where. */
export class Serving implements AsyncDisposable {
  /** Where it answers; empty on a Unix socket. */
  url = "";
  stdout = "";
  stderr = "";
  readonly #ended: Promise<Deno.CommandStatus>;
  readonly #reading: Promise<unknown>;
  readonly #deaf = new AbortController();

  private constructor(private readonly box: Box, readonly process: Deno.ChildProcess) {
    this.#reading = Promise.all([
      read(process.stdout, (text) => this.stdout += text),
      read(process.stderr, (text) => this.stderr += text, this.#deaf.signal),
    ]);
    this.#ended = process.status;
  }

  /** Starts it, and answers once it listens. */
  static async start(box: Box, args: string[] = [], options: ServingOptions = {}) {
    const where = args.some((arg) => /^--(listen|unix)$/.test(arg));
    const all = ["serve", ...where ? [] : ["--listen", "127.0.0.1:0"], ...args];
    const line = `${options.before ?? ":"}; exec "$0" "$@"`;
    const serving = new Serving(
      box,
      start("/bin/sh", ["-c", line, ...options.rekey ?? [REKEY], ...all], {
        ...box.surroundings(options.env && { env: options.env }),
        stdout: "piped",
        stderr: "piped",
      }),
    );
    await serving.until(() => /^listening on .*$/m.test(serving.stderr));
    serving.url = /^listening on (http\S*)$/m.exec(serving.stderr)?.[1] ?? "";
    return serving;
  }

  /** Waits until something is so. @throws when the server ends before, or after a while. */
  async until(isSo: () => boolean): Promise<void> {
    let code: number | undefined;
    this.#ended.then((status) => code = status.code);
    const otherwise = () => `rekey serve (${code ?? "running"}): ${this.stderr}`;
    const hopeless = () => code !== undefined;
    await until(isSo, { every: 5, hopeless, otherwise });
  }

  /** Asks with a bearer token. */
  get(path: string, token?: string): Promise<Response> {
    return this.send("GET", path, token);
  }

  /** Posts JSON. */
  post(path: string, body: unknown, token?: string): Promise<Response> {
    return this.send("POST", path, token, JSON.stringify(body));
  }

  send(method: string, path: string, token?: string, body?: string): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...token === undefined ? {} : { authorization: `Bearer ${token}` },
        ...body === undefined ? {} : { "content-type": "application/json" },
      },
      ...body === undefined ? {} : { body },
    });
  }

  /** The status of an answer whose body does not matter. */
  async status(asking: Promise<Response>): Promise<number> {
    const { status, body } = await asking;
    await body?.cancel();
    return status;
  }

  /** The status of `GET /auth` with a token: 204, 401 or 503. */
  auth(token: string): Promise<number> {
    return this.status(this.get("/auth", token));
  }

  /** Closes our end of its standard error, as a reader that has gone. */
  async deafen(): Promise<void> {
    this.#deaf.abort();
    await pause(50);
  }

  /** Sends a signal and answers how the server ended. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<Deno.CommandStatus> {
    this.process.kill(signal);
    return await this.ended();
  }

  /** How the server ended, once it has and everything that it wrote is read. */
  async ended(): Promise<Deno.CommandStatus> {
    const status = await this.#ended;
    await this.#reading;
    const written = [this.stdout, this.stderr].map((text) => new TextEncoder().encode(text));
    this.box.watch?.ended(...written);
    return status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.process.kill("SIGKILL");
    } catch (error) {
      // It has ended already.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
    await this.ended();
  }
}

async function read(
  stream: ReadableStream<Uint8Array>,
  take: (text: string) => void,
  signal?: AbortSignal,
) {
  const reader = stream.getReader();
  signal?.addEventListener("abort", () => reader.cancel());
  const decoder = new TextDecoder();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    take(decoder.decode(part.value, { stream: true }));
  }
}
