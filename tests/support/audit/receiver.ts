import { start } from "../../../scripts/program.ts";
import { until } from "../timing/pause.ts";

/** A row as a receiver has it. */
export interface ReceivedRow {
  readonly seq: number;
  readonly hash: string;
  readonly reason: string | undefined;
}

/** A real program, or a file, that gets the audit log. */
export interface Receiver extends AsyncDisposable {
  readonly name: string;
  /** For `--audit-to`. */
  readonly sink: string;
  /** Lets it read no more, so that rows are on their way to it when it leaves. */
  hang?(): void;
  /** Takes it away. */
  leave(): Promise<void>;
  /** Brings it back. */
  comeBack(): Promise<void>;
  /** All that it has received, in order. */
  received(): Promise<ReceivedRow[]>;
}

/** A program that stays in the foreground and makes a socket. */
export class SocketDaemon implements AsyncDisposable {
  #process: Deno.ChildProcess | undefined;

  constructor(
    private readonly program: string,
    private readonly args: readonly string[],
    private readonly socket: string,
    private readonly env: Record<string, string> = {},
  ) {}

  async start(): Promise<void> {
    const { program, args, env } = this;
    // A socket of an earlier run would be taken for the new one.
    await Deno.remove(this.socket).catch(() => {});
    const process = start(program, args, { env, clearEnv: true, stderr: "piped" });
    this.#process = process;
    let said = "";
    let over = false;
    (async () => {
      for await (const text of process.stderr.pipeThrough(new TextDecoderStream())) said += text;
    })();
    process.status.then(() => over = true);
    const isThere = () => Deno.lstatSync(this.socket).isSocket ?? false;
    await until(isThere, {
      every: 10,
      hopeless: () => over,
      otherwise: () => `${program} ${over ? "has ended" : "makes no socket"}: ${said}`,
    });
  }

  /** Stops it in its tracks: its socket is there, and nothing is read. */
  hang(): void {
    this.#process?.kill("SIGSTOP");
  }

  async stop(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    if (process === undefined) return;
    process.kill(signal);
    process.kill("SIGCONT");
    await process.status;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop("SIGKILL");
  }
}
