import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Box, type Ended, type RunOptions } from "../../process/box.ts";
import { ACCOUNT, NOTE_ACCOUNT, PATIENT, SERVICE } from "../keyring_box.ts";
import { GnomeKeyring } from "./gnome_keyring.ts";
import { KeePassXc } from "./keepassxc.ts";
import { KWallet } from "./kwallet.ts";
import {
  call,
  defaultCollection,
  type WalletName,
  type WalletOptions,
  type WalletUser,
} from "./wallet.ts";
import { until } from "../../timing/pause.ts";
import { start } from "../../../../scripts/program.ts";

const KINDS = { "gnome-keyring": GnomeKeyring, kwallet: KWallet, keepassxc: KeePassXc } as const;

/** How long a program may go on without its bus before it is ended, in milliseconds; a logout waits as long. */
const LOGOUT_MS = 2_000;

/**
 * How long rekey waits for a wallet that will not answer: within it a busy machine has asked which program it is, which
 * the hint names.
 */
const USUAL = "3s";

// KWallet refuses one public key in 256, and derives another key than its client from one shared number in 256: the
// next call has new ones. See `src/store/keyring/secret_service/session.ts`.
const WRONG_KEY = /public key size is invalid|can't find session|invalid secret/i;
const KEY_TRIES = 6;

/**
 * A box with a private session bus and a real wallet on it, by name. The bus starts nothing by itself. Its address
 * stays the same when it is started again, and what the wallet keeps stays in the home.
 */
export class WalletBox<Name extends WalletName = WalletName> extends Box
  implements AsyncDisposable {
  readonly wallet: InstanceType<typeof KINDS[Name]>;
  #bus: Deno.ChildProcess | undefined;
  #program: Deno.ChildProcess | undefined;
  readonly #crashed = new WeakMap<Deno.ChildProcess, Deno.Signal>();

  private constructor(readonly name: Name, private readonly options: WalletOptions) {
    super({ LANG: "C.UTF-8", REKEY_KEYRING_TIMEOUT: PATIENT });
    mkdirSync(this.#runtimeFolder, { mode: 0o700 });
    this.env["DBUS_SESSION_BUS_ADDRESS"] = `unix:path=${this.#runtimeFolder}/bus`;
    this.wallet = new KINDS[name](this.#user(), options) as InstanceType<typeof KINDS[Name]>;
  }

  /** Starts the bus and an open wallet. */
  static async start<Name extends WalletName>(
    name: Name,
    options: WalletOptions = {},
  ): Promise<WalletBox<Name>> {
    const box = new WalletBox(name, options);
    try {
      await box.#startBus();
      await box.wallet.prepare();
      await box.restart();
      return box;
    } catch (error) {
      await box[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Like any box's; but KeePassXC 2.7.4 crashes now and then when it is written to while it saves. Then it is started
   * again, as its user would, and a command that failed is run once more.
   */
  override async run(args: string[], options?: RunOptions): Promise<Ended> {
    const ended = await super.run(args, options);
    if (!await this.#revived() || ended.code === 0) return ended;
    return await super.run(args, options);
  }

  /** Ends the wallet with a signal. */
  async kill(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    const program = this.#program;
    this.#program = undefined;
    if (program === undefined) return;
    signalTo(program, signal);
    await endOf(program);
  }

  /** Ends the session's bus, and the wallet with it, as a logout does. */
  async endWithBus(): Promise<void> {
    const [bus, program] = [this.#bus, this.#program];
    this.#bus = this.#program = undefined;
    bus?.kill("SIGTERM");
    await bus?.status;
    if (program !== undefined) await endOf(program);
  }

  /** A new process of the wallet on the same home, open, in place of one that may run; a new bus if there is none. */
  async restart(): Promise<void> {
    this.env.REKEY_KEYRING_TIMEOUT = PATIENT;
    await this.kill();
    if (this.#bus === undefined) await this.#startBus();
    const program = this.#program = await this.wallet.start();
    program.status.then(({ signal }) => {
      if (this.#program === program && signal !== null) this.#crashed.set(program, signal);
    });
    await until(() => this.#isReady(), {
      every: 50,
      otherwise: `Waited for: ${this.name} has its name on the bus`,
    });
  }

  /** Closes the wallet; its process goes on. */
  async lock(): Promise<void> {
    this.env.REKEY_KEYRING_TIMEOUT = USUAL;
    await this.wallet.lock();
    await until(async () => !await this.isOpen(), {
      every: 50,
      otherwise: `Waited for: ${this.name} is locked`,
    });
  }

  /** Opens a locked wallet again: in the same process, where it takes a password from another program. */
  async open(): Promise<void> {
    this.env.REKEY_KEYRING_TIMEOUT = PATIENT;
    if (this.name === "gnome-keyring") return await this.restart();
    await this.wallet.open();
    await until(() => this.isOpen(), {
      every: 50,
      otherwise: `Waited for: ${this.name} is open`,
    });
  }

  /** Whether there is an open wallet. */
  isOpen(): Promise<boolean> {
    return this.wallet.isOpen();
  }

  /** Stops the wallet in its tracks: it is there and never answers. */
  suspend(): void {
    this.env.REKEY_KEYRING_TIMEOUT = USUAL;
    this.#program?.kill("SIGSTOP");
  }

  /** Lets a suspended wallet go on. */
  resume(): void {
    this.env.REKEY_KEYRING_TIMEOUT = PATIENT;
    // It may have ended by itself.
    if (this.#program !== undefined) signalTo(this.#program, "SIGCONT");
  }

  /** The value under an account, by another program than ours; `undefined` when there is none. */
  async lookup(account = ACCOUNT): Promise<string | undefined> {
    const attributes = ["service", SERVICE, "username", account];
    for (let tries = 1;; tries++) {
      const { code, stdout } = await this.#secretTool(["lookup", ...attributes]);
      if (code === 0) return stdout;
      // With a wrong key it says nothing, as where there is no item.
      const { stdout: found, stderr } = await this.#secretTool(["search", ...attributes]);
      if (!`${found}${stderr}`.includes("attribute.username = ")) return undefined;
      if (tries === KEY_TRIES) throw new Error(`${account} is there, and has no value`);
    }
  }

  /** The accounts under the service that hold values, sorted: all but rekey's note. */
  async accounts(): Promise<string[]> {
    const args = ["search", "--all", "service", SERVICE];
    const { stdout, stderr } = await this.#secretTool(args);
    const lines = `${stdout}${stderr}`.matchAll(/^attribute\.username = (.*)$/gm);
    return [...lines].map(([, name]) => name!).filter((name) => name !== NOTE_ACCOUNT).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.resume();
    await this.kill();
    await this.endWithBus();
    this[Symbol.dispose]();
  }

  /** From now on the bus starts gnome-keyring when the Secret Service is called for, as Debian's package has it. */
  async startsGnomeKeyring(): Promise<void> {
    const service = "org.freedesktop.secrets.service";
    copyFileSync(`/usr/share/dbus-1/services/${service}`, join(this.#services, service));
    const bus = "org.freedesktop.DBus";
    await call(this.#user(), bus, "/org/freedesktop/DBus", `${bus}.ReloadConfig`);
  }

  /** Whether the wallet had crashed by itself, and runs again. */
  async #revived(): Promise<boolean> {
    const signal = this.#program && this.#crashed.get(this.#program);
    if (signal === undefined) return false;
    // deno-lint-ignore no-console
    console.error(`${this.name} crashed by itself (${signal}); started again`);
    await this.restart();
    // It may have acknowledged what it never saved: a command brings that back from the sealed copy.
    await super.run(["status"]);
    return true;
  }

  async #secretTool(args: string[]): Promise<Ended> {
    for (let tries = 1;; tries++) {
      const ended = await this.exec("secret-tool", args);
      if (await this.#revived()) continue;
      // Other errors are an answer: a wallet that asks before each access names its items, and refuses their values.
      if (!WRONG_KEY.test(ended.stderr)) return ended;
      if (tries === KEY_TRIES) throw new Error(ended.stderr);
    }
  }

  get #services(): string {
    return join(this.home, "services");
  }

  #busConfig(): string {
    // A new bus starts nothing by itself.
    rmSync(this.#services, { recursive: true, force: true });
    mkdirSync(this.#services);
    const text = readFileSync(join(import.meta.dirname!, "../bus.conf"), "utf8");
    const path = join(this.home, "bus.conf");
    writeFileSync(path, text.replace("<auth>", `<servicedir>${this.#services}</servicedir><auth>`));
    return path;
  }

  get #runtimeFolder(): string {
    return join(this.home, "run");
  }

  #user(): WalletUser {
    const session = {
      PATH: "/usr/bin:/bin",
      HOME: this.home,
      XDG_RUNTIME_DIR: this.#runtimeFolder,
      QT_QPA_PLATFORM: "offscreen",
      ...this.env,
    };
    const tell = async (program: string, args: readonly string[]) => {
      const { code, stdout, stderr } = await this.exec(program, [...args], { env: session });
      if (code !== 0) throw new Error(`${program} ${args.slice(-2)} (${code}): ${stderr}`);
      return stdout;
    };
    return { home: this.home, session, tell };
  }

  async #startBus(): Promise<void> {
    const config = this.#busConfig();
    const address = this.env["DBUS_SESSION_BUS_ADDRESS"]!;
    this.#bus = start(
      "dbus-daemon",
      [`--config-file=${config}`, `--address=${address}`, "--nofork"],
      { clearEnv: true, env: this.#user().session },
    );
    const list = [
      "org.freedesktop.DBus",
      "/org/freedesktop/DBus",
      "org.freedesktop.DBus.ListNames",
    ];
    const [destination, path, method] = list as [string, string, string];
    await until(async () => {
      await call(this.#user(), destination, path, method);
      return true;
    }, { every: 50, otherwise: "Waited for: a session bus" });
  }

  async #isReady(): Promise<boolean> {
    if (!this.options.bare) return await this.isOpen();
    await defaultCollection(this.#user());
    return true;
  }
}

/** KeePassXC now and then does not end when it is asked to, nor when its bus has gone: a logout kills it then. */
async function endOf(program: Deno.ChildProcess): Promise<void> {
  const timer = setTimeout(() => signalTo(program, "SIGKILL"), LOGOUT_MS);
  await program.status;
  clearTimeout(timer);
}

function signalTo(program: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    program.kill(signal);
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}
