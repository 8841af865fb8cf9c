import { join } from "node:path";
import { documentedConfiguration } from "./page.ts";
import { adapted } from "../proxy/proxies.ts";
import { run } from "../../../scripts/program.ts";
import { freePort } from "../http/ports.ts";
import type { Consumer, Verdict } from "./consumer.ts";
import { DAEMON_PATH, folderFor, listens, SystemDaemon } from "./system_daemon.ts";
import { Imap } from "./imap.ts";

const USER = "alice";

/** A real Dovecot that serves IMAP. */
export class Dovecot implements Consumer {
  readonly claims = ["--sub", USER];
  readonly startsEmpty = true;
  readonly delivery: readonly string[];
  #daemon: SystemDaemon | undefined;

  private constructor(private readonly folder: string, private readonly port: number) {
    const [config, keys] = [join(folder, "dovecot.conf"), join(folder, "jwt-keys")];
    this.delivery = ["--preset", "dovecot", "--path", keys, "--set", `config=${config}`];
  }

  /** One as docs/presets/dovecot.md configures it; keys may come when it runs. */
  static async prepare(): Promise<Dovecot> {
    const folder = await folderFor("mail", ["mail"]);
    const dovecot = new Dovecot(folder, freePort());
    const [main, oauth2] = ["dovecot", "ini"]
      .map((part) => adapted(documentedConfiguration("dovecot", part), { "/etc/dovecot": folder }));
    await Deno.writeTextFile(join(folder, "dovecot.conf"), main + dovecot.#own());
    await Deno.writeTextFile(join(folder, "oauth2.conf"), oauth2!);
    return dovecot;
  }

  // For passwords in the clear on loopback. It refuses at once, and does not let those wait who were refused before.
  #own(): string {
    return `
base_dir = ${this.folder}/run
state_dir = ${this.folder}/state
log_path = /dev/stderr
protocols = imap
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0
first_valid_uid = 1
listen = 127.0.0.1
mail_location = maildir:${this.folder}/mail/%u
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service imap-login {
  inet_listener imap {
    port = ${this.port}
  }
  inet_listener imaps {
    port = 0
  }
}
userdb {
  driver = static
  args = uid=mail gid=mail home=${this.folder}/mail/%u
}
`;
  }

  async start(): Promise<void> {
    this.#daemon = await SystemDaemon.start("dovecot", [
      "-F",
      "-c",
      join(this.folder, "dovecot.conf"),
    ], {
      env: { PATH: DAEMON_PATH },
      serves: () => listens(this.port),
    });
  }

  /** A connection that has not logged in yet. */
  connect(): Promise<Imap> {
    return Imap.connect(this.port);
  }

  async answer(token: string): Promise<Verdict> {
    using connection = await this.connect();
    return await connection.login(USER, token);
  }

  /** Makes it forget the keys that it has read, as its preset does. */
  async reload(): Promise<void> {
    await run("doveadm", ["-c", join(this.folder, "dovecot.conf"), "reload"]);
  }

  /** Ends the sessions of a user, as its page says. */
  async kick(): Promise<void> {
    await run("doveadm", ["-c", join(this.folder, "dovecot.conf"), "kick", USER]);
  }

  async restart(): Promise<void> {
    await this.#daemon![Symbol.asyncDispose]();
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon?.[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}
