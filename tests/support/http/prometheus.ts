import { join } from "node:path";
import { start } from "../../../scripts/program.ts";
import type { Box } from "../process/box.ts";
import { until } from "../timing/pause.ts";
import { freePort } from "./ports.ts";

/** The folder of what is shipped for Prometheus. */
export const SHIPPED = join(import.meta.dirname!, "../../../examples/prometheus");

// Shipped for a minute's interval and alerts that wait for up to a day.
const SOON = "\nglobal: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }\n";

/** What a Prometheus scrapes, and with what. */
export interface Scraping {
  /** Such as `localhost:8700`. */
  readonly targets: readonly string[];
  /** Path of the file with the token. */
  readonly token: string;
  /** Path of the certificate of who has issued the targets' one. */
  readonly ca: string;
}

/** A real Prometheus with the shipped configuration and rules, at a quicker pace. */
export class Prometheus implements AsyncDisposable {
  private constructor(readonly url: string, private readonly process: Deno.ChildProcess) {}

  /** Starts one in a box, and answers once it takes queries. */
  static async start(box: Box, { targets, token, ca }: Scraping): Promise<Prometheus> {
    const read = (name: string) => Deno.readTextFileSync(join(SHIPPED, name));
    const config = read("prometheus.yml")
      .replace("/etc/prometheus/rekey.token", token)
      .replace("/etc/prometheus/rekey-ca.pem", ca)
      .replace('["auth.example.org:8700"]', JSON.stringify(targets));
    Deno.writeTextFileSync(join(box.home, "prometheus.yml"), config + SOON);
    const rules = read("rekey.rules.yml").replaceAll(/^( +for:) \d+[mhd]$/gm, "$1 1s");
    Deno.writeTextFileSync(join(box.home, "rekey.rules.yml"), rules);
    const address = `127.0.0.1:${freePort()}`;
    const flags = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error"];
    flags.push(`--web.listen-address=${address}`);
    const process = start("prometheus", flags, { ...box.surroundings(), stderr: "inherit" });
    const prometheus = new Prometheus(`http://${address}`, process);
    try {
      await until(() => prometheus.ask("query", { query: "1" }).then(() => true));
    } catch (error) {
      await prometheus[Symbol.asyncDispose]();
      throw error;
    }
    return prometheus;
  }

  /** The `data` of an answer of its HTTP API. @throws where it answers with an error. */
  // deno-lint-ignore no-explicit-any
  async ask(path: string, parameters: Record<string, string> = {}): Promise<any> {
    const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const { status, data, error } = await response.json();
    if (status !== "success") throw new Error(`${path} ${JSON.stringify(parameters)}: ${error}`);
    return data;
  }

  /** The value of an expression for each instance that it has one for. */
  async values(query: string): Promise<Map<string, number>> {
    const { result } = await this.ask("query", { query });
    const of = ({ metric, value }: { metric: { instance: string }; value: [number, string] }) =>
      [metric.instance, Number(value[1])] as const;
    return new Map(result.map(of));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.process.kill("SIGKILL");
    } catch (error) {
      // It has ended already.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
    await this.process.status;
  }
}
