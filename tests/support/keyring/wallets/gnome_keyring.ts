import {
  call,
  defaultCollection,
  isUnlocked,
  SECRETS,
  SERVICE_PATH,
  type Wallet,
  type WalletOptions,
  type WalletUser,
} from "./wallet.ts";
import { feed, start } from "../../../../scripts/program.ts";

const PASSWORD = new TextEncoder().encode("test");

/** gnome-keyring; bare, it has no login keyring, as in an account that is only reached by SSH. */
export class GnomeKeyring implements Wallet {
  readonly program = "gnome-keyring-d";

  constructor(private readonly user: WalletUser, private readonly options: WalletOptions) {}

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  async start(): Promise<Deno.ChildProcess> {
    const daemon = start(
      "gnome-keyring-daemon",
      ["--foreground", "--components=secrets", ...this.options.bare ? [] : ["--unlock"]],
      { clearEnv: true, env: this.user.session, stdin: "piped" },
    );
    await feed(daemon.stdin, this.options.bare ? "" : PASSWORD);
    return daemon;
  }

  isOpen(): Promise<boolean> {
    return isUnlocked(this.user);
  }

  async lock(): Promise<void> {
    const collection = await defaultCollection(this.user);
    const method = "org.freedesktop.Secret.Service.Lock";
    await call(this.user, SECRETS, SERVICE_PATH, method, `['${collection}']`);
  }

  open(): Promise<void> {
    return Promise.reject(
      new Error("Only a new gnome-keyring-daemon takes the password from here"),
    );
  }
}
