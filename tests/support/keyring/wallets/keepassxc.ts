import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { call, isUnlocked, type Wallet, type WalletOptions, type WalletUser } from "./wallet.ts";
import { feed, start } from "../../../../scripts/program.ts";

const PASSWORD = "test";
const WINDOW = "org.keepassxc.KeePassXC.MainWindow";

// Its whole database is what others may see: the UUID of the root group, in the two ways it is written.
const EXPOSED = `<?xml version="1.0" encoding="UTF-8"?>
<KeePassFile>
  <Meta>
    <DatabaseName>Passwords</DatabaseName>
    <RecycleBinEnabled>True</RecycleBinEnabled>
    <HistoryMaxItems>10</HistoryMaxItems>
    <CustomData><Item>
      <Key>FDO_SECRETS_EXPOSED_GROUP</Key>
      <Value>{00112233-4455-6677-8899-aabbccddeeff}</Value>
    </Item></CustomData>
  </Meta>
  <Root><Group><UUID>ABEiM0RVZneImaq7zN3u/w==</UUID><Name>Root</Name></Group></Root>
</KeePassFile>
`;

/** KeePassXC with its Secret Service turned on; bare, no database is open. */
export class KeePassXc implements Wallet {
  readonly program = "keepassxc";

  constructor(private readonly user: WalletUser, private readonly options: WalletOptions) {}

  /** The database's file. */
  get file(): string {
    return join(this.user.home, "Passwords.kdbx");
  }

  async prepare(): Promise<void> {
    const asks = String(this.options.confirming ?? false);
    const settings = [
      ...["[General]", "AutoSaveAfterEveryChange=true", "SingleInstance=false"],
      ...["UpdateCheckMessageShown=true", "[FdoSecrets]", "Enabled=true"],
      ...["ShowNotification=false", `ConfirmAccessItem=${asks}`, `ConfirmDeleteItem=${asks}`],
    ];
    writeFileSync(this.#settings, `${settings.join("\n")}\n`);
    if (this.options.bare) return;
    const xml = join(this.user.home, "Passwords.xml");
    writeFileSync(xml, EXPOSED);
    const quick = ["--decryption-time", "100"];
    await this.#cli(["import", "-q", ...quick, "--set-password", xml, this.file], 2);
    Deno.removeSync(xml);
  }

  async start(): Promise<Deno.ChildProcess> {
    const program = this.#spawn("keepassxc", [
      ...["--config", this.#settings, "--localconfig", `${this.#settings}.local`],
      ...this.options.bare ? [] : ["--pw-stdin", this.file],
    ]);
    await answer(program, 1);
    return program;
  }

  isOpen(): Promise<boolean> {
    return isUnlocked(this.user);
  }

  async lock(): Promise<void> {
    await call(this.user, WINDOW, "/keepassxc", `${WINDOW}.lockAllDatabases`);
  }

  // While a dialog of its own comes up it does not answer; what it was asked before that counts all the same.
  async open(): Promise<void> {
    const asked = () =>
      call(this.user, WINDOW, "/keepassxc", `${WINDOW}.openDatabase`, this.file, PASSWORD);
    await asked().catch(asked).catch(asked);
  }

  /** All that is in the database's file, history and recycle bin included, as XML. */
  exported(): Promise<string> {
    return this.#cli(["export", "-q", this.file], 1);
  }

  get #settings(): string {
    return join(this.user.home, "keepassxc.ini");
  }

  #display(): Record<string, string> {
    const { display } = this.options;
    return display === undefined ? {} : { DISPLAY: display, QT_QPA_PLATFORM: "xcb" };
  }

  async #cli(args: string[], questions: number): Promise<string> {
    const child = this.#spawn("keepassxc-cli", args, "piped");
    await answer(child, questions);
    const { success, stdout, stderr } = await child.output();
    if (!success || !existsSync(this.file)) {
      throw new Error(`keepassxc-cli: ${new TextDecoder().decode(stderr)}`);
    }
    return new TextDecoder().decode(stdout);
  }

  #spawn(program: string, args: string[], output: "piped" | "null" = "null"): Deno.ChildProcess {
    const env = { ...this.user.session, ...this.#display() };
    const streams = { stdin: "piped", stdout: output, stderr: output } as const;
    return start(program, args, { clearEnv: true, env, ...streams });
  }
}

function answer({ stdin }: Deno.ChildProcess, questions: number): Promise<void> {
  return feed(stdin, `${PASSWORD}\n`.repeat(questions));
}
