import { pbkdf2Sync, randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  call,
  defaultCollection,
  type Wallet,
  type WalletOptions,
  type WalletUser,
} from "./wallet.ts";
import { until } from "../../timing/pause.ts";
import { feed, start } from "../../../../scripts/program.ts";
import { infoOf } from "../../../../src/system/files.ts";

const NAME = "kdewallet";
const PASSWORD = "test";
const SALT_BYTES = 56;
const ROUNDS = 50_000;
const KWALLETD = "org.kde.kwalletd5";
const MODULE = "/modules/kwalletd5";
// systemd-socket-activate listens as 3.
const ITS_SOCKET = 3;
const ITS_PIPE = 4;

/**
 * kwalletd5, with a wallet that is made and opened as its PAM module does at a login: it gets a key of the password
 * through a pipe, and the session's environment through a socket that it listens on. Bare, it has no wallet.
 */
export class KWallet implements Wallet {
  readonly program = "kwalletd5";
  readonly #folder: string;
  readonly #socket: string;

  constructor(private readonly user: WalletUser, private readonly options: WalletOptions) {
    this.#folder = join(user.home, ".local/share/kwalletd");
    this.#socket = join(user.session["XDG_RUNTIME_DIR"]!, "kwallet5.socket");
  }

  /** The file of the wallet itself. */
  get file(): string {
    return join(this.#folder, `${NAME}.kwl`);
  }

  // Its first start makes the wallet and does not show it yet.
  async prepare(): Promise<void> {
    if (this.options.bare) return;
    mkdirSync(this.#folder, { recursive: true });
    writeFileSync(join(this.#folder, `${NAME}.salt`), randomBytes(SALT_BYTES));
    const first = await this.start();
    await until(async () => {
      await defaultCollection(this.user);
      return (infoOf(this.file)?.size ?? 0) > 0;
    }, { every: 50, otherwise: "Waited for: kwalletd5 makes a wallet" });
    first.kill("SIGTERM");
    await first.status;
  }

  async start(): Promise<Deno.ChildProcess> {
    if (this.options.bare) {
      const daemon = this.#spawn("kwalletd5", []);
      await daemon.stdin.close();
      return daemon;
    }
    rmSync(this.#socket, { force: true });
    const start = `exec kwalletd5 --pam-login ${ITS_PIPE} ${ITS_SOCKET} ${ITS_PIPE}<&0 0</dev/null`;
    const passed = Object.keys(this.user.session).flatMap((name) => ["-E", name]);
    const daemon = this.#spawn("systemd-socket-activate", [
      ...["-l", this.#socket, ...passed, "-E", "PAM_KWALLET5_LOGIN"],
      ...["sh", "-c", start],
    ]);
    let connection: Deno.Conn | undefined;
    await until(async () => {
      connection = await Deno.connect({ transport: "unix", path: this.#socket });
      return true;
    }, { every: 50, otherwise: "Waited for: a socket for kwalletd5" });
    await feed(daemon.stdin, this.#key());
    await say(connection!, this.user.session);
    return daemon;
  }

  // The collection calls itself locked until it is first used, although the wallet is open.
  async isOpen(): Promise<boolean> {
    if (await defaultCollection(this.user) === undefined) return false;
    const answer = await call(this.user, KWALLETD, MODULE, "org.kde.KWallet.isOpen", NAME);
    return answer.includes("true");
  }

  async lock(): Promise<void> {
    await call(this.user, KWALLETD, MODULE, "org.kde.KWallet.closeAllWallets");
  }

  async open(): Promise<void> {
    const key = `[${[...this.#key()].map((byte) => `byte ${byte}`).join(", ")}]`;
    await call(this.user, KWALLETD, MODULE, "org.kde.KWallet.pamOpen", NAME, key, "0");
  }

  #key(): Uint8Array {
    const salt = readFileSync(join(this.#folder, `${NAME}.salt`));
    return pbkdf2Sync(PASSWORD, salt, ROUNDS, SALT_BYTES, "sha512");
  }

  #spawn(program: string, args: string[]): Deno.ChildProcess {
    // Qt insists on it.
    chmodSync(this.user.session["XDG_RUNTIME_DIR"]!, 0o700);
    const env = { ...this.user.session, PAM_KWALLET5_LOGIN: this.#socket };
    return start(program, args, { clearEnv: true, env, stdin: "piped" });
  }
}

async function say(connection: Deno.Conn, session: Readonly<Record<string, string>>) {
  using open = connection;
  const lines = Object.entries(session).map(([name, value]) => `${name}=${value}\n`).join("");
  const bytes = new TextEncoder().encode(lines);
  for (let sent = 0; sent < bytes.length;) sent += await open.write(bytes.subarray(sent));
}
