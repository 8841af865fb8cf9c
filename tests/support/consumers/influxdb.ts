import { join } from "node:path";
import { documentedConfiguration } from "./page.ts";
import { adapted } from "../proxy/proxies.ts";
import { freePorts } from "../http/ports.ts";
import { run } from "../../../scripts/program.ts";
import type { Consumer, Verdict } from "./consumer.ts";
import { asUser, folderFor } from "./system_daemon.ts";
import { until } from "../timing/pause.ts";
import { Service } from "./service.ts";

const USER = "influxdb";

/** A real InfluxDB with an administrator, `admin`. */
export class InfluxDb implements Consumer {
  readonly claims = ["--sub", "alice", "--claim", "username=admin"];
  readonly delivery: readonly string[];
  readonly #key: string;
  #service: Service | undefined;

  private constructor(private readonly folder: string, private readonly port: number) {
    this.#key = join(folder, "jwt-key.env");
    const settings = ["--set", `url=${this.#url}`];
    this.delivery = ["--preset", "influxdb", "--path", this.#key, ...settings];
  }

  /** One as docs/presets/influxdb.md configures it; the key must be there before it starts. */
  static async prepare(): Promise<InfluxDb> {
    const folder = await folderFor(USER, ["data"]);
    const [port, backups] = freePorts(2) as [number, number];
    const influx = new InfluxDb(folder, port);
    const address = `[http]\n  bind-address = "127.0.0.1:${port}"`;
    const http = adapted(documentedConfiguration("influxdb", "toml"), { "[http]": address });
    const data = join(folder, "data");
    await Deno.writeTextFile(
      join(folder, "influxdb.conf"),
      `reporting-disabled = true\nbind-address = "127.0.0.1:${backups}"\n` +
        `[meta]\n  dir = "${data}/meta"\n[monitor]\n  store-enabled = false\n` +
        `[data]\n  dir = "${data}/data"\n  wal-dir = "${data}/wal"\n${http}`,
    );
    return influx;
  }

  /** Where its `systemctl` is. */
  get tools(): string {
    return join(this.folder, "bin");
  }

  get #url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const config = join(this.folder, "influxdb.conf");
    this.#service = await Service.start(this.folder, {
      command: [...asUser(USER), "influxd", "-config", config].join(" "),
      environmentFile: this.#key,
      serves: async () => (await this.#get("/ping")).status === 204,
    });
    const q = "CREATE USER admin WITH PASSWORD 'unused' WITH ALL PRIVILEGES";
    const body = new URLSearchParams({ q });
    const answer = await fetch(`${this.#url}/query`, { method: "POST", body });
    await answer.body?.cancel();
    // It answers 401 when it has one already.
    if (![200, 401].includes(answer.status)) throw new Error(`no administrator: ${answer.status}`);
  }

  async #get(path: string, headers: HeadersInit = {}): Promise<{ status: number; text: string }> {
    const answer = await fetch(`${this.#url}${path}`, { headers });
    return { status: answer.status, text: await answer.text() };
  }

  async answer(token: string): Promise<Verdict> {
    const headers = { authorization: `Bearer ${token}` };
    const got = await this.#get("/query?q=SHOW%20DATABASES", headers).catch(() => undefined);
    if (got === undefined) return "unavailable";
    if (got.status === 401) return "refused";
    if (got.status !== 200) throw new Error(`InfluxDB answered ${got.status}: ${got.text}`);
    return "accepted";
  }

  /** The key of its file. */
  key(): string {
    return /^\w+=(.*)$/m.exec(Deno.readTextFileSync(this.#key))![1]!;
  }

  /** What its `config` command prints, started like the server. */
  async prints(): Promise<string> {
    const line = `set -a; . ${this.#key}; influxd config -config ${this.folder}/influxdb.conf`;
    return (await run("sh", ["-c", line])).stdout;
  }

  async restart(): Promise<void> {
    await run(join(this.tools, "systemctl"), ["restart", "influxdb.service"]);
    await until(async () => (await this.#get("/ping")).status === 204);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service?.[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}
