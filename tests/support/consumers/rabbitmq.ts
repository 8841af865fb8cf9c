import { join } from "node:path";
import { documentedConfiguration } from "./page.ts";
import { freePorts } from "../http/ports.ts";
import { run } from "../../../scripts/program.ts";
import { Amqp } from "./amqp.ts";
import type { Consumer, Verdict } from "./consumer.ts";
import { DAEMON_PATH, folderFor, listens, SystemDaemon, writeTool } from "./system_daemon.ts";

const USER = "rabbitmq";
/** Where Debian has the programs themselves; those in the PATH work for `/var/lib/rabbitmq` alone. */
const PROGRAMS = "/usr/lib/rabbitmq/bin";

/** A real RabbitMQ with its OAuth 2.0 plugin, and an epmd of its own. */
export class RabbitMq implements Consumer {
  readonly claims = ["--sub", "alice", "--aud", "rabbitmq", "--scope", "rabbitmq.read:*/*"];
  readonly delivery: readonly string[];
  readonly #ctl: string;
  readonly #ports = freePorts(3) as [number, number, number];
  #epmd: SystemDaemon | undefined;
  #daemon: SystemDaemon | undefined;

  private constructor(private readonly folder: string) {
    this.#ctl = join(folder, "rabbitmqctl");
    const path = join(folder, "conf/advanced.config");
    this.delivery = ["--preset", "rabbitmq", "--path", path, "--set", `ctl=${this.#ctl}`];
  }

  /**
   * One as docs/presets/rabbitmq.md configures it; the keys must be there before it starts.
   *
   * @param more lines for the end of its configuration.
   */
  static async prepare(more: readonly string[] = []): Promise<RabbitMq> {
    const folder = await folderFor(USER, ["conf", "mnesia", "log", "home"]);
    const rabbit = new RabbitMq(folder);
    const own =
      `listeners.tcp.1 = 127.0.0.1:${rabbit.#port}\nlog.console = true\nlog.file = false\n`;
    const main = documentedConfiguration("rabbitmq", "ini");
    await Deno.writeTextFile(join(folder, "conf/rabbitmq.conf"), main + own + more.join("\n"));
    await Deno.writeTextFile(
      join(folder, "conf/enabled_plugins"),
      "[rabbitmq_auth_backend_oauth2].\n",
    );
    const variables = Object.entries(rabbit.#env).map(([name, value]) => `${name}='${value}'`);
    const program =
      `setpriv --reuid ${USER} --regid ${USER} --clear-groups ${PROGRAMS}/rabbitmqctl`;
    await writeTool(rabbit.#ctl, `exec env ${variables.join(" ")} ${program} "$@"`);
    await rabbit.#startEpmd();
    return rabbit;
  }

  // Before anything of Erlang runs, which would start one that stays.
  async #startEpmd(): Promise<void> {
    const [, , port] = this.#ports;
    this.#epmd = await SystemDaemon.start("epmd", ["-port", `${port}`, "-address", "127.0.0.1"], {
      user: USER,
      serves: () => listens(port),
    });
  }

  get #port(): number {
    return this.#ports[0];
  }

  get #env(): Record<string, string> {
    const [, distribution, epmd] = this.#ports;
    const { folder } = this;
    return {
      PATH: DAEMON_PATH,
      HOME: join(folder, "home"),
      ERL_EPMD_PORT: String(epmd),
      ERL_EPMD_ADDRESS: "127.0.0.1",
      RABBITMQ_NODENAME: `rekey${this.#port}@localhost`,
      RABBITMQ_DIST_PORT: String(distribution),
      RABBITMQ_CONFIG_FILE: join(folder, "conf/rabbitmq"),
      RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, "conf/advanced.config"),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "conf/enabled_plugins"),
      RABBITMQ_CONF_ENV_FILE: "/dev/null",
      RABBITMQ_MNESIA_BASE: join(folder, "mnesia"),
      RABBITMQ_LOG_BASE: join(folder, "log"),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
        "+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
    };
  }

  async start(): Promise<void> {
    this.#daemon = await SystemDaemon.start(join(PROGRAMS, "rabbitmq-server"), [], {
      user: USER,
      env: this.#env,
      serves: (said) => said.includes("Server startup complete"),
    });
  }

  /** A connection that has not logged in yet. */
  connect(): Promise<Amqp> {
    return Amqp.connect(this.#port);
  }

  async answer(token: string): Promise<Verdict> {
    using connection = await this.connect();
    return await connection.login(token);
  }

  /** The keys of its file, in base64url, the current one first. */
  keys(): string[] {
    const text = Deno.readTextFileSync(join(this.folder, "conf/advanced.config"));
    return [...text.matchAll(/<<"k">> => <<"([^"]+)">>/g)].map(([, key]) => key!);
  }

  /** What a command of its tool prints. */
  async prints(...command: string[]): Promise<string> {
    return (await run(this.#ctl, command)).stdout;
  }

  async restart(): Promise<void> {
    await this.#stop();
    await this.start();
  }

  async #stop(): Promise<void> {
    await this.#daemon?.[Symbol.asyncDispose]();
    this.#daemon = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    await this.#epmd?.[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}
