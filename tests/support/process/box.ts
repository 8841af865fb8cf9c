import { join } from "node:path";
import { Watch } from "../leaks/watch.ts";

/** The compiled executable that the tests run, as a user does; `deno task leaks` names another one. */
export const REKEY = Deno.env.get("REKEY_BINARY") ??
  join(import.meta.dirname!, "../../../dist/rekey");

/** Whether that is one: `scripts/test --runtime newest` runs the sources. */
export const IS_COMPILED = !REKEY.endsWith("/from-source/rekey");

/** How a command ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What {@linkcode Box.run} does differently when asked. */
export interface RunOptions {
  readonly env?: Record<string, string>;
  readonly stdin?: string | Uint8Array;
  readonly cwd?: string;
}

/**
 * A user of their own: an empty home folder and an environment with nothing in it but that. The real
 * home, data folder and keyring are out of reach.
 */
export class Box implements Disposable {
  /** Searches for leaks, when `deno task leaks` runs the tests. */
  readonly watch: Watch | undefined;

  constructor(readonly env: Record<string, string> = {}, readonly home: string = temporary()) {
    this.watch = Watch.asked(home);
  }

  /** The app's database. */
  get database(): string {
    return join(this.home, ".local/share/agiworkforce/agiworkforce.db");
  }

  /** Runs `dist/rekey`. */
  run(args: string[], options: RunOptions = {}): Promise<Ended> {
    return this.exec(REKEY, args, options);
  }

  /** Runs `dist/rekey --json` and parses its one line of stdout. */
  // deno-lint-ignore no-explicit-any
  async json(...args: string[]): Promise<any> {
    const ended = await this.run([...args, "--json"]);
    if (ended.stdout === "") throw new Error(`rekey ${args[0]} (${ended.code}): ${ended.stderr}`);
    return JSON.parse(ended.stdout);
  }

  /** Runs any program as the box's user. */
  async exec(program: string, args: string[], options: RunOptions = {}): Promise<Ended> {
    const child = new Deno.Command(program, {
      args,
      cwd: options.cwd ?? this.home,
      clearEnv: true,
      env: {
        PATH: "/usr/bin:/bin",
        HOME: this.home,
        ...this.watch?.env,
        ...this.env,
        ...options.env,
      },
      stdin: options.stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const ending = child.output();
    // A program that copies its stdin needs both ends at once.
    if (options.stdin !== undefined) await feed(child.stdin, options.stdin);
    const { code, stdout, stderr } = await (this.watch?.during(ending) ?? ending);
    // Others may print a secret: secret-tool is asked to.
    if ([program, ...args].some((part) => part.includes(REKEY))) this.watch?.ended(stdout, stderr);
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  }

  /** The text of a token for `sub`. */
  async token(sub = "alice", ...more: string[]): Promise<string> {
    const { token } = await this.json("issue", "--sub", sub, ...more);
    return token;
  }

  /** Every file below the home folder, by path, with its bytes. */
  files(folder = this.home): Map<string, Uint8Array> {
    const found = new Map<string, Uint8Array>();
    for (const { name, isDirectory, isFile } of Deno.readDirSync(folder)) {
      const path = join(folder, name);
      if (isDirectory) this.files(path).forEach((bytes, file) => found.set(file, bytes));
      else if (isFile) found.set(path, Deno.readFileSync(path));
    }
    return found;
  }

  [Symbol.dispose](): void {
    this.watch?.close();
    removeFolder(this.home);
  }
}

/** An empty folder, which whoever asks for it deletes. */
export function temporary(): string {
  return Deno.makeTempDirSync({ prefix: "rekey-test-" });
}

const TRIES = 50;

// What a terminal that is gone had started may write a last file while the others are deleted.
function removeFolder(path: string): void {
  for (let tries = 1;; tries++) {
    try {
      return Deno.removeSync(path, { recursive: true });
    } catch (error) {
      const filled = error instanceof Error && "code" in error && error.code === "ENOTEMPTY";
      if (!filled || tries === TRIES) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

// A program that has seen enough may close its end before everything is written.
async function feed(stdin: WritableStream<Uint8Array>, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  try {
    const writer = stdin.getWriter();
    await writer.write(bytes);
    await writer.close();
  } catch (error) {
    const closed = error instanceof Deno.errors.BrokenPipe || error instanceof TypeError;
    if (!closed) throw error;
  }
}
