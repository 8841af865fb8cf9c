import { join } from "node:path";
import type { Box } from "../process/box.ts";
import { until } from "../timing/pause.ts";
import { start } from "../../../scripts/program.ts";

/** A real HAProxy, of which only the health checks matter. */
export class HealthChecks implements AsyncDisposable {
  private constructor(
    private readonly socket: string,
    private readonly process: Deno.ChildProcess,
  ) {}

  /** @param backends as they stand in its configuration. */
  static async start(box: Box, backends: string): Promise<HealthChecks> {
    const [socket, file] = [join(box.home, "haproxy.sock"), join(box.home, "haproxy.cfg")];
    const config = [
      `global\n  stats socket ${socket} mode 600\n`,
      "defaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n",
      // Without one it does not start.
      `frontend none\n  bind unix@${join(box.home, "frontend.sock")}\n`,
      backends,
    ];
    await Deno.writeTextFile(file, config.join(""));
    const process = start("haproxy", ["-db", "-f", file], {
      clearEnv: true,
      env: { PATH: "/usr/sbin:/usr/bin:/bin", HOME: box.home },
      stderr: "inherit",
    });
    return new HealthChecks(socket, process);
  }

  /** How each server's check ended, `L7OK/200`, once each has ended. @throws after half a minute. */
  async results(): Promise<Record<string, string>> {
    let results: Record<string, string> = {};
    const allChecked = async () => {
      results = await this.#stats();
      const all = Object.values(results);
      return all.length > 0 && all.every((text) => /^L[467][A-Z]+/.test(text));
    };
    const otherwise = () => `HAProxy has not checked: ${JSON.stringify(results)}`;
    await until(allChecked, { every: 50, otherwise });
    return results;
  }

  async #stats(): Promise<Record<string, string>> {
    let text = "";
    try {
      using connection = await Deno.connect({ transport: "unix", path: this.socket });
      await connection.write(new TextEncoder().encode("show stat\n"));
      for await (const part of connection.readable.pipeThrough(new TextDecoderStream())) {
        text += part;
      }
    } catch (error) {
      // It has not begun, or the runtime has closed what was read to its end.
      if (text === "" && !(error instanceof Deno.errors.NotFound)) throw error;
    }
    const [head, ...rows] = text.trim().split("\n").map((row) => row.split(","));
    const column = (name: string) => head!.indexOf(name);
    const servers = rows.filter((row) => !["FRONTEND", "BACKEND"].includes(row[column("svname")]!));
    return Object.fromEntries(servers.map((row) => [
      row[0]!,
      `${row[column("check_status")]}/${row[column("check_code")]}`,
    ]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGTERM");
    await this.process.status;
  }
}
