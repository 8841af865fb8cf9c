import { join } from "node:path";
import { Box, type Ended, type RunOptions } from "../process/box.ts";
import { until } from "../timing/pause.ts";
import { start } from "../../../scripts/program.ts";

const PASSWORD = "test";

/** Attributes under which the application's secret is kept. */
export const SERVICE = "AGI Workforce";
export const ACCOUNT = "agiworkforce.jwt_secret";
export const NOTE_ACCOUNT = `${ACCOUNT}.rekey`;

/**
 * How long rekey waits for a keyring that works. Each change is written to the disk, which takes longer than usual where
 * many tests write at once.
 */
export const PATIENT = "30s";

/** How long it waits for one that was stopped. */
export const BRIEF = "1s";

/**
 * A box with a private session bus and a real gnome-keyring on it. The bus starts nothing by itself:
 * after {@linkcode KeyringBox.kill} there is no Secret Service.
 */
export class KeyringBox extends Box implements AsyncDisposable {
  #daemon: Deno.ChildProcess | undefined;
  readonly #aborted = new WeakSet<Deno.ChildProcess>();

  private constructor(private readonly bus: Deno.ChildProcess, address: string) {
    super({ DBUS_SESSION_BUS_ADDRESS: address, REKEY_KEYRING_TIMEOUT: PATIENT });
  }

  /** Starts the bus and an unlocked keyring. */
  static async start(config = "bus.conf"): Promise<KeyringBox> {
    const path = join(import.meta.dirname!, config);
    const bus = start(
      "dbus-daemon",
      [`--config-file=${path}`, "--nofork", "--print-address=1"],
      { stdout: "piped" },
    );
    const box = new KeyringBox(bus, await firstLine(bus.stdout));
    await box.unlock();
    return box;
  }

  /**
   * Like any box's; but gnome-keyring has been seen to abort by itself now and then. Then it is started
   * again, as a session's manager would, and a command that failed is run once more. One that succeeded is not: a
   * second rotation would make another version.
   */
  override async run(args: string[], options?: RunOptions): Promise<Ended> {
    const daemon = this.#daemon;
    const ended = await super.run(args, options);
    if (daemon === undefined || !this.#aborted.has(daemon)) return ended;
    // deno-lint-ignore no-console
    console.error("gnome-keyring-daemon aborted by itself; started again");
    await this.unlock();
    return ended.code === 0 ? ended : await super.run(args, options);
  }

  /** A real, unlocked keyring: a new daemon in place of any that runs, with the same items. */
  async unlock(): Promise<void> {
    await this.kill();
    this.#daemon = this.#spawn(["--unlock"], "piped");
    const writer = this.#daemon.stdin.getWriter();
    await writer.write(new TextEncoder().encode(PASSWORD));
    await writer.close();
    await this.#ready();
  }

  /** A real keyring that was never unlocked, as after a login without a password. */
  async lock(): Promise<void> {
    await this.kill();
    this.#daemon = this.#spawn([], "null");
    await this.#ready();
  }

  /** Stops the daemon in its tracks: it is there and never answers. */
  stop(): void {
    this.env.REKEY_KEYRING_TIMEOUT = BRIEF;
    this.#daemon?.kill("SIGSTOP");
  }

  /** Lets a stopped daemon go on. */
  cont(): void {
    this.env.REKEY_KEYRING_TIMEOUT = PATIENT;
    this.#daemon?.kill("SIGCONT");
  }

  /** No Secret Service at all. */
  async kill(): Promise<void> {
    this.env.REKEY_KEYRING_TIMEOUT = PATIENT;
    const daemon = this.#daemon;
    if (daemon === undefined) return;
    this.#daemon = undefined;
    if (!this.#aborted.has(daemon)) daemon.kill("SIGKILL");
    await daemon.status;
  }

  /** The value under an account, by another program than ours; `undefined` when there is none. */
  async lookup(account = ACCOUNT): Promise<string | undefined> {
    const { code, stdout } = await this.exec("secret-tool", [
      "lookup",
      ...this.#attributes(account),
    ]);
    return code === 0 ? stdout : undefined;
  }

  /** Stores a value as another program would. */
  async store(value: string, account = ACCOUNT): Promise<void> {
    const args = ["store", "--label=older application", ...this.#attributes(account)];
    const { code, stderr } = await this.exec("secret-tool", args, { stdin: value });
    if (code !== 0) throw new Error(`secret-tool: ${stderr}`);
  }

  /** Deletes a value as another program would. */
  async clear(account = ACCOUNT): Promise<void> {
    await this.exec("secret-tool", ["clear", ...this.#attributes(account)]);
  }

  /** The accounts under the service that hold values, sorted: all but rekey's note. */
  async accounts(): Promise<string[]> {
    const { stdout, stderr } = await this.exec("secret-tool", [
      "search",
      "--all",
      "service",
      SERVICE,
    ]);
    return [...`${stdout}${stderr}`.matchAll(/^attribute\.username = (.*)$/gm)].map(([, name]) =>
      name!
    ).filter((name) => name !== NOTE_ACCOUNT)
      .sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.bus.kill("SIGTERM");
    await this.bus.status;
    this[Symbol.dispose]();
  }

  #attributes(account: string): string[] {
    return ["service", SERVICE, "username", account];
  }

  #spawn(args: string[], stdin: "piped" | "null"): Deno.ChildProcess {
    const daemon = start(
      "gnome-keyring-daemon",
      ["--foreground", "--components=secrets", ...args],
      { clearEnv: true, env: { PATH: "/usr/bin:/bin", HOME: this.home, ...this.env }, stdin },
    );
    daemon.status.then(() => {
      if (this.#daemon === daemon) this.#aborted.add(daemon);
    });
    return daemon;
  }

  async #ready(): Promise<void> {
    const ask = ["--session", "--dest", "org.freedesktop.secrets", "--object-path"];
    const answers = async () =>
      (await this.exec("gdbus", ["introspect", ...ask, "/org/freedesktop/secrets"])).code === 0;
    await until(answers, { every: 50, otherwise: "gnome-keyring-daemon did not come up" });
  }
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stream.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  await stream.cancel();
  return new TextDecoder().decode(value).trim();
}
