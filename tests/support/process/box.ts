import { createHash } from "node:crypto";
import { join } from "node:path";
import { Watch } from "../leaks/watch.ts";
import { type Ended, inText, output } from "../../../scripts/program.ts";

/** The compiled executable that the tests run, as a user does; `deno task leaks` names another one. */
export const REKEY = Deno.env.get("REKEY_BINARY") ??
  join(import.meta.dirname!, "../../../dist/rekey");

/** Whether that is one: `scripts/test --runtime newest` runs the sources. */
export const IS_COMPILED = !REKEY.endsWith("/from-source/rekey");

export type { Ended };

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
    const ending = output(program, args, { ...options, ...this.surroundings(options) });
    const ended = await (this.watch?.during(ending) ?? ending);
    // Others may print a secret: secret-tool is asked to.
    if ([program, ...args].some((part) => part.includes(REKEY))) {
      this.watch?.ended(ended.stdout, ended.stderr);
    }
    return inText(ended);
  }

  /** Where a program of the box's user runs, and the whole environment that it gets. */
  surroundings({ cwd = this.home, env }: { cwd?: string; env?: Record<string, string> } = {}) {
    const own = { PATH: "/usr/bin:/bin", HOME: this.home, ...this.watch?.env, ...this.env };
    return { cwd, clearEnv: true, env: { ...own, ...env } };
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

  /** SHA-256 of each file, for comparisons: a report of what differs between two databases takes gigabytes. */
  digests(): Map<string, string> {
    const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
    return new Map([...this.files()].map(([path, bytes]) => [path, digest(bytes)]));
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
