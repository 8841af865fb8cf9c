import type { Box } from "../process/box.ts";
import { until } from "../timing/pause.ts";
import { start } from "../../../scripts/program.ts";

/** What is started, and where it listens. */
export interface DaemonOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** On loopback. */
  readonly port: number;
  readonly env?: Record<string, string>;
}

/** A real program that stays in the foreground and listens, in a box. */
export class Daemon implements AsyncDisposable {
  /** All that it has written, of every start. */
  stderr = "";
  #process!: Deno.ChildProcess;
  #ended!: Promise<unknown>;

  private constructor(private readonly box: Box, private readonly options: DaemonOptions) {}

  /** Starts it, and answers once it listens. @throws with what it wrote, when it ends instead. */
  static async start(box: Box, options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(box, options);
    await daemon.start();
    return daemon;
  }

  get port(): number {
    return this.options.port;
  }

  get id(): number {
    return this.#process.pid;
  }

  async start(): Promise<void> {
    const { program, args, port, env = {} } = this.options;
    const process = start(program, args, {
      cwd: this.box.home,
      clearEnv: true,
      env: { PATH: "/usr/sbin:/usr/bin:/bin", HOME: this.box.home, ...env },
      stderr: "piped",
    });
    this.#process = process;
    const reading = read(process.stderr, (text) => this.stderr += text);
    let over = false;
    this.#ended = Promise.all([process.status, reading]).then(() => over = true);
    const listens = async () => {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return true;
    };
    const otherwise = () => `${program} ${over ? "has ended" : "does not listen"}: ${this.stderr}`;
    try {
      await until(listens, { every: 5, hopeless: () => over, otherwise });
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  signal(name: Deno.Signal): void {
    this.#process.kill(name);
  }

  /** Ends it, and waits until it has. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    try {
      this.#process.kill(signal);
    } catch (error) {
      // It has ended already.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
    await this.#ended;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

async function read(stream: ReadableStream<Uint8Array>, take: (text: string) => void) {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) take(text);
}
