import { installed } from "../faults/faults.ts";
import { until } from "../timing/pause.ts";
import { run, start } from "../../../scripts/program.ts";

/** How a daemon is started. */
export interface SystemDaemonOptions {
  /** The user that it runs as, as its package has it; root if it becomes that user by itself. */
  readonly user?: string;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** Whether it serves by now, with what it has said so far. One that throws counts as "not yet". */
  readonly serves: (said: string) => boolean | Promise<boolean>;
}

/** A daemon in the foreground, which ends with its block. */
export class SystemDaemon implements AsyncDisposable {
  /** What it wrote on both streams. */
  said = "";
  #ended = false;
  readonly #readers: ReadableStreamDefaultReader<Uint8Array>[];
  readonly #reading: Promise<unknown>;

  private constructor(readonly program: string, private readonly process: Deno.ChildProcess) {
    const streams = [process.stdout, process.stderr];
    this.#readers = streams.map((stream) => stream.getReader());
    this.#reading = Promise.all(this.#readers.map((reader) => this.#read(reader)));
    process.status.then(() => this.#ended = true);
  }

  /** Starts it, and answers once it serves. @throws with what it said when it ends before. */
  static async start(
    program: string,
    args: string[],
    options: SystemDaemonOptions,
  ): Promise<SystemDaemon> {
    const { user, env = {}, cwd = "/" } = options;
    const [first, ...rest] = [...asUser(user), program, ...args];
    const process = start(first!, rest, {
      cwd,
      clearEnv: true,
      env: { PATH: DAEMON_PATH, ...env },
      stdout: "piped",
      stderr: "piped",
    });
    const daemon = new SystemDaemon(program, process);
    try {
      const otherwise = () => `${program} does not serve: ${daemon.said}`;
      await until(() => options.serves(daemon.said), { hopeless: () => daemon.#ended, otherwise });
      return daemon;
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for (let part; !(part = await reader.read()).done;) {
      this.said += decoder.decode(part.value, { stream: true });
    }
  }

  /** Waits until it has ended by itself. */
  async ended(): Promise<void> {
    await this.process.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.process.kill("SIGTERM");
    await this.process.status;
    // What it has started may live on, and hold the streams.
    const giveUp = setTimeout(() => this.#readers.forEach((reader) => reader.cancel()), 200);
    await this.#reading;
    clearTimeout(giveUp);
  }
}

/** Whether the daemons of packages can be run here, each as its own user. */
export const RUNS_DAEMONS = Deno.uid() === 0 && installed("setpriv");
/** What `unless` says of it. */
export const AS_DAEMONS = "root, for daemons that run as their own users";

/** Where daemons and their tools are. */
export const DAEMON_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

/** What stands before a command line to run it as a user of the system. */
export function asUser(user: string | undefined): string[] {
  if (user === undefined) return [];
  return ["setpriv", "--reuid", user, "--regid", groupOf(user), "--clear-groups"];
}

function groupOf(user: string): string {
  const line = Deno.readTextFileSync("/etc/passwd").split("\n")
    .find((line) => line.startsWith(`${user}:`));
  if (line === undefined) throw new Error(`there is no user ${user}`);
  return line.split(":")[3]!;
}

/** Whether someone listens on a port of this machine. */
export async function listens(port: number): Promise<boolean> {
  (await Deno.connect({ hostname: "127.0.0.1", port })).close();
  return true;
}

/** A folder that the users of daemons may pass through, with folders in it that are theirs. */
export async function folderFor(user: string, names: string[]): Promise<string> {
  // Not in a box: that is for its user alone.
  const folder = await Deno.makeTempDir({ prefix: "rekey-consumer-" });
  await Deno.chmod(folder, 0o711);
  for (const name of names) await Deno.mkdir(`${folder}/${name}`, { recursive: true });
  const paths = names.map((name) => `${folder}/${name}`);
  await run("chown", ["-R", `${user}:${groupOf(user)}`, ...paths]);
  return folder;
}

/** A program of a few lines of shell: a tool with the settings of a private daemon. */
export async function writeTool(path: string, lines: string): Promise<string> {
  await Deno.writeTextFile(path, `#!/bin/sh\n${lines}\n`);
  await Deno.chmod(path, 0o755);
  return path;
}
