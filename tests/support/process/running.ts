import { type Box, REKEY } from "./box.ts";
import { until } from "../timing/pause.ts";
import { start } from "../../../scripts/program.ts";

/** How {@linkcode Running.start} is called differently when asked. */
export interface RunningOptions {
  readonly env?: Record<string, string>;
  /** Flags of `rekey exec`. */
  readonly flags?: readonly string[];
  /** What is started as rekey, with what comes before its arguments. */
  readonly rekey?: readonly string[];
  /** Stays in the terminal of whoever runs the tests, if there is one; else it has none, as under systemd. */
  readonly inSession?: true;
}

/** A program of a box that goes on, under `rekey exec`. */
export class Running implements AsyncDisposable {
  stdout = "";
  stderr = "";
  readonly #reading: Promise<unknown>;
  #status: Deno.CommandStatus | undefined;

  private constructor(private readonly box: Box, readonly process: Deno.ChildProcess) {
    this.#reading = Promise.all([
      read(process.stdout, (text) => this.stdout += text),
      read(process.stderr, (text) => this.stderr += text),
      process.status.then((status) => this.#status = status),
    ]);
  }

  /** Starts it, and answers once it has said `ready`. */
  static async start(box: Box, program: string[], options: RunningOptions = {}): Promise<Running> {
    const line = [...options.rekey ?? [REKEY], "exec", ...options.flags ?? [], "--", ...program];
    const running = new Running(
      box,
      start(
        options.inSession ? line[0]! : "/usr/bin/setsid",
        options.inSession ? line.slice(1) : line,
        {
          ...box.surroundings(options.env && { env: options.env }),
          stdout: "piped",
          stderr: "piped",
        },
      ),
    );
    await running.until(() => running.stdout.includes("ready"));
    return running;
  }

  /** Of rekey, or of the program that it has become. */
  get id(): number {
    return this.process.pid;
  }

  /** The processes that it has started, those that have ended and were not taken note of among them. */
  children(): number[] {
    return childrenOf(this.id);
  }

  /** Waits until something is so. @throws when it ends before, or after a while. */
  async until(isSo: () => boolean): Promise<void> {
    const hopeless = () => this.#status !== undefined;
    const how = () => hopeless() ? JSON.stringify(this.#status) : "running";
    const otherwise = () => `rekey exec (${how()}): ${this.stdout}${this.stderr}`;
    await until(isSo, { every: 5, hopeless, otherwise });
  }

  /** How it ended, once it has and everything that it wrote is read. */
  async ended(): Promise<Deno.CommandStatus> {
    await until(() => this.#status !== undefined, { otherwise: "rekey exec has not ended" });
    await this.#reading;
    // The program is handed the secret, and may print it; rekey never does.
    this.box.watch?.ended(new Uint8Array(), new TextEncoder().encode(this.stderr));
    return this.#status!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#status === undefined) {
      for (const id of [...this.children(), this.id]) Deno.kill(id, "SIGKILL");
    }
    await this.ended();
  }
}

/** Every process of the machine. */
function processes(): { id: number; parent: number }[] {
  const ids = [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter(Boolean);
  return ids.flatMap((id) => {
    try {
      const [, parent] = Deno.readTextFileSync(`/proc/${id}/stat`).replace(/^.*\) /s, "").split(
        " ",
      );
      return [{ id, parent: Number(parent) }];
    } catch {
      // It has ended since.
      return [];
    }
  });
}

/** Ids of a process's children. */
export function childrenOf(pid: number): number[] {
  return processes().filter(({ parent }) => parent === pid).map(({ id }) => id);
}

/** Whether there is such a process, be it one that has ended and was not taken note of. */
export function isThere(id: number): boolean {
  return processes().some((process) => process.id === id);
}

/** Stops a process in its tracks, and waits until each of its threads has stopped: they do so one after the other. */
export async function suspend(id: number): Promise<void> {
  Deno.kill(id, "SIGSTOP");
  const tasks = `/proc/${id}/task`;
  const hasStopped = (name: string) =>
    /^State:\s+T/m.test(Deno.readTextFileSync(`${tasks}/${name}/status`));
  await until(() => [...Deno.readDirSync(tasks)].every(({ name }) => hasStopped(name)));
}

async function read(stream: ReadableStream<Uint8Array>, take: (text: string) => void) {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) take(text);
}
