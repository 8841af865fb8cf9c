import { join } from "node:path";
import { run } from "../../../scripts/program.ts";

const ROOT = join(import.meta.dirname!, "../../..");

/** How a command in a copy of the sources ended. */
export interface Built {
  readonly code: number;
  readonly stderr: string;
}

/**
 * A copy of the sources as they are now, in a repository of its own. Its one commit has the same name
 * wherever and whenever the copy is made.
 */
export class Sources implements Disposable {
  private constructor(
    readonly folder: string,
    private readonly top: string,
    private readonly env: Record<string, string>,
  ) {}

  /** @param path of the copy, inside a new temporary folder. */
  static async copied(path: string, env: Record<string, string> = {}): Promise<Sources> {
    const top = Deno.makeTempDirSync({ prefix: "rekey-test-" });
    const folder = join(top, path);
    Deno.mkdirSync(folder, { recursive: true });
    const sources = new Sources(folder, top, env);
    await sources.must(
      `cd "${ROOT}" && git ls-files -co --exclude-standard -z | ` +
        `xargs -0 cp --parents -t "${folder}" && cd "${folder}" && git init -q && git add -A && ` +
        "git -c user.name=test -c user.email=test@example.org commit -qm copy",
      {
        GIT_AUTHOR_DATE: "@1700000000 +0000",
        GIT_COMMITTER_DATE: "@1700000000 +0000",
        // Whoever runs the test may sign their commits.
        GIT_CONFIG_GLOBAL: "/dev/null",
      },
    );
    return sources;
  }

  /** Runs a shell command in the copy. */
  async run(command: string, env: Record<string, string> = {}): Promise<Built> {
    const all = { DENO: Deno.execPath(), ...this.env, ...env };
    return await run("/bin/sh", ["-c", command], { cwd: this.folder, env: all });
  }

  /** The same. @throws {Error} when it fails. */
  async must(command: string, env: Record<string, string> = {}): Promise<void> {
    const { code, stderr } = await this.run(command, env);
    if (code !== 0) throw new Error(`${command} (${code}): ${stderr}`);
  }

  /** The file's bytes. */
  read(path: string): Uint8Array {
    return Deno.readFileSync(join(this.folder, path));
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.top, { recursive: true });
  }
}
