import { join } from "node:path";
import { documentedConfiguration } from "./page.ts";
import { adapted } from "../proxy/proxies.ts";
import { freePorts } from "../http/ports.ts";
import { run } from "../../../scripts/program.ts";
import type { Consumer, Verdict } from "./consumer.ts";
import { DAEMON_PATH, folderFor, SystemDaemon } from "./system_daemon.ts";
import { Service } from "./service.ts";

const USER = "slurm";

/** A real slurmctld, with a munged of its own. */
export class Slurm implements Consumer {
  readonly claims = ["--sub", "alice", "--claim", "sun=daemon"];
  readonly delivery: readonly string[];
  /** Path of its key. */
  readonly key: string;
  readonly #config: string;
  #munge: SystemDaemon | undefined;
  #service: Service | undefined;

  private constructor(
    private readonly folder: string,
    private readonly munge: string,
    preset: "slurm" | "slurm-jwks",
  ) {
    this.#config = join(folder, "slurm.conf");
    this.key = join(folder, preset === "slurm" ? "jwt_hs256.key" : "jwks.json");
    const settings = ["--set", `config=${this.#config}`];
    this.delivery = ["--preset", preset, "--path", this.key, ...settings];
  }

  /** One as docs/presets/slurm.md configures it; the key must be there before it starts. */
  static async prepare(preset: "slurm" | "slurm-jwks" = "slurm"): Promise<Slurm> {
    const folder = await folderFor(USER, ["state", "spool", "run"]);
    const slurm = new Slurm(folder, await folderFor("munge", ["run"]), preset);
    await Deno.chmod(join(slurm.munge, "run"), 0o755);
    const page = documentedConfiguration("slurm", preset === "slurm" ? "ini" : "conf");
    const main = adapted(page, { "/etc/slurm": folder });
    await Deno.writeTextFile(slurm.#config, main + slurm.#own());
    return slurm;
  }

  #own(): string {
    const [controller, node] = freePorts(2);
    const { folder } = this;
    return `
ClusterName=rekey
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=${USER}
SlurmctldPort=${controller}
SlurmdPort=${node}
AuthType=auth/munge
AuthInfo=socket=${this.#socket}
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldPidFile=${folder}/run/slurmctld.pid
ProctrackType=proctrack/linuxproc
SelectType=select/linear
MpiDefault=none
NodeName=node NodeAddr=127.0.0.1 CPUs=1
PartitionName=all Nodes=node Default=YES State=UP
`;
  }

  get #socket(): string {
    return join(this.munge, "run/socket");
  }

  /** Where its `systemctl` is. */
  get tools(): string {
    return join(this.folder, "bin");
  }

  async start(): Promise<void> {
    await this.#startMunge();
    this.#service = await Service.start(this.folder, {
      command: `env SLURM_CONF=${this.#config} slurmctld -D`,
      serves: (said) => said.includes("Running as primary controller"),
    });
  }

  async #startMunge(): Promise<void> {
    const key = join(this.munge, "run/key");
    await Deno.writeFile(key, crypto.getRandomValues(new Uint8Array(128)), { mode: 0o600 });
    await run("chown", ["munge:", key]);
    const files = ["pid-file", "seed-file", "log-file"].map((name) =>
      `--${name}=${this.munge}/run/${name}`
    );
    const flags = ["--foreground", `--key-file=${key}`, `--socket=${this.#socket}`, ...files];
    this.#munge = await SystemDaemon.start("munged", flags, {
      user: "munge",
      serves: async () => (await Deno.lstat(this.#socket)).isSocket === true,
    });
  }

  async answer(token: string): Promise<Verdict> {
    const env = { PATH: DAEMON_PATH, SLURM_CONF: this.#config, SLURM_JWT: token };
    const { code, stderr } = await run("scontrol", ["show", "config"], { clearEnv: true, env });
    if (code === 0) return "accepted";
    if (stderr.includes("Zero Bytes were transmitted")) return "refused";
    if (stderr.includes("Unable to contact")) return "unavailable";
    throw new Error(stderr);
  }

  async restart(): Promise<void> {
    await run(join(this.tools, "systemctl"), ["restart", "slurmctld.service"]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service?.[Symbol.asyncDispose]();
    await this.#munge?.[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
    await Deno.remove(this.munge, { recursive: true });
  }
}
