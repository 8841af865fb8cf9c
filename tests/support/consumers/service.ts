import { join } from "node:path";
import { SystemDaemon, type SystemDaemonOptions, writeTool } from "./system_daemon.ts";

/** What a service is made of. */
export interface ServiceOptions extends Omit<SystemDaemonOptions, "env" | "cwd"> {
  /** The program with its arguments, in shell. */
  readonly command: string;
  /** As `EnvironmentFile=`: read each time the program starts. */
  readonly environmentFile?: string;
}

/**
 * A program under a supervisor, with a `systemctl` of its own that restarts it: there is no systemd where the tests run.
 * As with systemd, `systemctl restart` waits for the old process to end, and not for the new one to serve.
 */
export class Service implements AsyncDisposable {
  private constructor(private readonly daemon: SystemDaemon) {}

  /** @param folder where the supervisor keeps its files; `bin/systemctl` is in it. */
  static async start(folder: string, options: ServiceOptions): Promise<Service> {
    const { command, environmentFile, ...rest } = options;
    const pid = join(folder, "service.pid");
    const read = environmentFile === undefined ? "" : `set -a; . ${environmentFile}; set +a`;
    const supervisor = await writeTool(
      join(folder, "supervisor"),
      `trap 'kill $child; wait $child; exit' TERM
while :; do
  ${read}
  ${command} & child=$!
  echo $child >${pid}.new && mv ${pid}.new ${pid}
  wait $child
done`,
    );
    await Deno.mkdir(join(folder, "bin"), { recursive: true });
    await writeTool(
      join(folder, "bin/systemctl"),
      `[ "$1" = restart ] || exit 1
old=$(cat ${pid})
kill "$old"
while [ "$(cat ${pid})" = "$old" ]; do sleep 0.05; done`,
    );
    return new Service(await SystemDaemon.start(supervisor, [], rest));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
  }
}
