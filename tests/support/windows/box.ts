import { join } from "node:path";
import { Box, type Ended, type RunOptions, temporary } from "../process/box.ts";
import { bootWindows, USER, WINE, WINE_ENV } from "./image.ts";
import type { Machine } from "./machine.ts";
import { until } from "../timing/pause.ts";
import { start } from "../../../scripts/program.ts";

/** The compiled executable for Windows; `deno task build windows-x64` makes it. */
export const REKEY_EXE = join(import.meta.dirname!, "../../../dist/rekey-windows-x64.exe");

const CONSOLE = join(import.meta.dirname!, "console.py");

const PROGRAM = "Program Files/rekey/rekey.exe";

// A program that hangs ends with status 137, and says nothing.
const TIMEOUT = ["--signal=KILL", "60"];

/** Where {@linkcode REKEY_EXE} is on the tests' Windows. */
export const INSTALLED = windowsPath(PROGRAM);

/**
 * A Windows machine of a test's own, in Wine, with one user, whose name is harder than most: their folders, registry and
 * Credential Manager are out of reach for other tests. `home` is the user's folder as this machine sees it; whatever is
 * run starts in it.
 */
export class WindowsBox extends Box implements AsyncDisposable {
  #machine: Machine | undefined;

  /** @param disk its C: and its registry. */
  private constructor(env: Record<string, string>, private readonly disk: string) {
    super(env, join(disk, "drive_c/users", USER));
  }

  /** Starts it. */
  static async boot(env: Record<string, string> = {}): Promise<WindowsBox> {
    const box = new WindowsBox({ ...WINE_ENV, ...env }, temporary());
    box.#machine = await bootWindows(box.disk, [REKEY_EXE, PROGRAM]);
    await box.#bootServices();
    return box;
  }

  // They stay when no program runs, or each command would start them again; and they keep whatever output they are given.
  async #bootServices(): Promise<void> {
    const server = this.#machine!.line("/", WINE_ENV.WINESERVER!, "--persistent");
    for (const [program, ...args] of [server, this.line("cmd", ["/c", "exit"])]) {
      const env = { PATH: "/usr/bin:/bin", ...this.env };
      const { code } = await start(program!, args, { clearEnv: true, env }).status;
      if (code !== 0) throw new Error(`Windows does not start: ${code}`);
    }
  }

  override get database(): string {
    return join(this.home, "AppData/Local/agiworkforce/agiworkforce.db");
  }

  /** What Windows calls a file of the user's folder. */
  path(...parts: string[]): string {
    return windowsPath("users", USER, ...parts);
  }

  /** Runs the installed rekey. */
  override run(args: string[], options: RunOptions = {}): Promise<Ended> {
    return this.exec(INSTALLED, args, options);
  }

  /** Runs a program of Windows: by its path there, or by its name if it is one of Windows' own. */
  override exec(program: string, args: string[], options: RunOptions = {}): Promise<Ended> {
    const line = this.line(program, args, options.cwd);
    return super.exec("/usr/bin/timeout", [...TIMEOUT, ...line], { ...options, cwd: "/" });
  }

  /** The accounts of the app whose values the Credential Manager has, rekey's notes left out. */
  async credentials(): Promise<string[]> {
    // Wine keeps it in the registry.
    const key = "HKCU\\Software\\Wine\\Credential Manager";
    const { stdout } = await this.exec("reg", ["query", key, "/s"]);
    const users = [...stdout.matchAll(/^ +UserName +REG_SZ +(\S+)\r?$/gm)].map(([, user]) => user!);
    return users.filter((user) => !user.endsWith(".rekey")).sort();
  }

  /** The installed rekey, as {@linkcode line} has it. */
  get rekey(): readonly string[] {
    return this.line(INSTALLED);
  }

  /** The same with a console to itself, as a window is one: SIGINT has Ctrl-C typed there. */
  get rekeyInConsole(): readonly string[] {
    return ["/usr/bin/python3", CONSOLE, ...this.rekey];
  }

  /** Ids of the programs of that name that run. */
  async ids(name: string): Promise<number[]> {
    const { stdout } = await this.exec("tasklist", []);
    const lines = stdout.split("\n").filter((line) => line.startsWith(`${name} `));
    return lines.map((line) => Number(line.slice(name.length).trim().split(" ")[0]));
  }

  /** How many programs of that name run. */
  async running(name: string): Promise<number> {
    return (await this.ids(name)).length;
  }

  /** Waits until as many run. @throws when that does not come to pass within ten seconds. */
  async untilRunning(name: string, count: number): Promise<void> {
    let found = -1;
    await until(async () => (found = await this.running(name)) === count, {
      otherwise: () => `${name} runs ${found} times, and not ${count}`,
    });
  }

  /** The command line for this machine that does so. The environment is to have this box's variables. */
  line(program: string, args: readonly string[] = [], cwd = this.home): string[] {
    const folder = `/windows${cwd.slice(this.disk.length)}`;
    return this.#machine!.line(folder, WINE, program, ...args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#machine?.[Symbol.asyncDispose]();
    super[Symbol.dispose]();
    await Deno.remove(this.disk, { recursive: true });
  }
}

function windowsPath(...parts: string[]): string {
  return `C:\\${parts.join("/").replaceAll("/", "\\")}`;
}
