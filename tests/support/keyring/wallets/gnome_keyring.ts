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

const PASSWORD = new TextEncoder().encode("test");

/** gnome-keyring; bare, it has no login keyring, as in an account that is only reached by SSH. */
export class GnomeKeyring implements Wallet {
  readonly program = "gnome-keyring-d";

  constructor(private readonly user: WalletUser, private readonly options: WalletOptions) {}

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  async start(): Promise<Deno.ChildProcess> {
    const daemon = new Deno.Command("gnome-keyring-daemon", {
      args: [
        "--foreground",
        "--components=secrets",
        ...this.options.bare ? [] : ["--unlock"],
      ],
      clearEnv: true,
      env: this.user.session,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const writer = daemon.stdin.getWriter();
    if (!this.options.bare) await writer.write(PASSWORD);
    await writer.close();
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
