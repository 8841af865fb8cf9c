import { join } from "node:path";
import { documentedConfiguration } from "./page.ts";
import { adapted } from "../proxy/proxies.ts";
import { freePorts } from "../http/ports.ts";
import { run } from "../../../scripts/program.ts";
import type { Consumer, Verdict } from "./consumer.ts";
import { DAEMON_PATH, folderFor, listens, SystemDaemon, writeTool } from "./system_daemon.ts";
import { Xmpp } from "./xmpp.ts";

const USER = "alice";

/** A real ejabberd for the host `localhost`, without epmd. */
export class Ejabberd implements Consumer {
  readonly claims = ["--sub", `${USER}@localhost`];
  readonly delivery: readonly string[];
  readonly #ctl: string;
  #daemon: SystemDaemon | undefined;

  private constructor(private readonly folder: string, private readonly port: number) {
    this.#ctl = join(folder, "ejabberdctl");
    const key = join(folder, "conf/jwt-key.json");
    this.delivery = ["--preset", "ejabberd", "--path", key, "--set", `ctl=${this.#ctl}`];
  }

  /** One as docs/presets/ejabberd.md configures it; the key must be there before it starts. */
  static async prepare(): Promise<Ejabberd> {
    const folder = await folderFor("ejabberd", ["spool", "logs"]);
    await Deno.mkdir(join(folder, "conf"), { mode: 0o755 });
    const [port, distribution] = freePorts(2) as [number, number];
    const ejabberd = new Ejabberd(folder, port);
    const conf = join(folder, "conf");
    const main = adapted(documentedConfiguration("ejabberd", "yaml"), { "/etc/ejabberd": conf });
    await Deno.writeTextFile(join(conf, "ejabberd.yml"), main + listening(port));
    await Deno.writeTextFile(
      join(conf, "ejabberdctl.cfg"),
      `ERLANG_NODE=rekey${port}@localhost\nERL_DIST_PORT=${distribution}\n` +
        `INET_DIST_INTERFACE=127.0.0.1\nERL_OPTIONS="+S 2:2 +sbwt none"\n`,
    );
    await Deno.writeTextFile(join(conf, "inetrc"), "");
    const folders = `--config-dir ${conf} --spool ${folder}/spool --logs ${folder}/logs`;
    // For rekey, which has other variables and perhaps no /usr/sbin in its PATH.
    await writeTool(ejabberd.#ctl, `PATH=${DAEMON_PATH} exec ejabberdctl ${folders} "$@"`);
    return ejabberd;
  }

  async start(): Promise<void> {
    this.#daemon = await SystemDaemon.start(this.#ctl, ["foreground"], {
      env: { HOME: join(this.folder, "spool") },
      serves: () => listens(this.port),
    });
  }

  /** A stream that has not logged in yet. */
  connect(): Promise<Xmpp> {
    return Xmpp.connect(this.port);
  }

  async answer(token: string): Promise<Verdict> {
    using stream = await this.connect();
    return await stream.login(USER, token);
  }

  /** Ends the sessions of a user, as its page says. */
  async kick(): Promise<void> {
    await run(this.#ctl, ["kick_user", USER, "localhost"]);
  }

  async restart(): Promise<void> {
    await this.#stop();
    await this.start();
  }

  // A signal would end the shell that waits for Erlang, and not Erlang.
  async #stop(): Promise<void> {
    if (this.#daemon === undefined) return;
    const { code } = await run(this.#ctl, ["stop"]);
    if (code === 0) await this.#daemon.ended();
    await this.#daemon[Symbol.asyncDispose]();
    this.#daemon = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    await Deno.remove(this.folder, { recursive: true });
  }
}

function listening(port: number): string {
  return `
hosts:
  - localhost
loglevel: info
listen:
  -
    port: ${port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    starttls: false
`;
}
