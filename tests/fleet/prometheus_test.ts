import assert from "node:assert/strict";
import { join } from "node:path";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { certify, tlsFlags } from "../support/http/certificates.ts";
import { dashboardQueries, metricNames } from "../support/http/dashboard.ts";
import { Prometheus, SHIPPED } from "../support/http/prometheus.ts";
import { Serving } from "../support/http/serving.ts";
import { Box } from "../support/process/box.ts";
import { until } from "../support/timing/pause.ts";

interface Target {
  readonly health: string;
  readonly lastError: string;
}

interface Alert {
  readonly state: string;
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
}

interface Rule {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
}

const TOKEN = "s".repeat(43);

// What Grafana puts in the place of its variables.
const filledIn = (query: string) =>
  query.replaceAll("$__rate_interval", "5m").replaceAll(/\$(job|instance)\b/g, ".*");

Deno.test("a real Prometheus with the shipped files scrapes two machines of a fleet", async (t) => {
  await using etcd = await Etcd.start(1);
  using fleet = await Fleet.start(etcd, 2, "scraped");
  using box = new Box();
  const [one, two] = fleet.machines as [Box, Box];
  const [tls, token] = [await certify(box, "server", "-days", "90"), join(box.home, "rekey.token")];
  Deno.writeTextFileSync(token, TOKEN, { mode: 0o600 });
  const serve = (machine: Box) =>
    Serving.start(machine, [
      ...["--listen", "0.0.0.0:0", "--allow-remote", "--workers", "1", ...tlsFlags(tls)],
      ...["--metrics-token-file", token, "--audit-to", join(machine.home, "audit.jsonl")],
    ]);
  await using here = await serve(one);
  await using there = await serve(two);
  const targets = [here, there].map(({ url }) => `localhost:${new URL(url).port}`);
  await using prometheus = await Prometheus.start(box, { targets, token, ca: tls.cert });
  const each = (values: Map<string, number>) => targets.map((target) => values.get(target));
  const allAre = (query: string, expected: number) =>
    until(async () => each(await prometheus.values(query)).every((value) => value === expected), {
      otherwise: async () => `${query}: ${JSON.stringify([...await prometheus.values(query)])}`,
    });

  await t.step("both are up, by TLS and with the scraper's token", async () => {
    await allAre("up", 1);
    const { activeTargets } = await prometheus.ask("targets", { state: "active" });
    const state = ({ health, lastError }: Target) => `${health}${lastError}`;
    assert.deepEqual(activeTargets.map(state), ["up", "up"]);
  });

  await t.step("it has every metric that the rules and the dashboard name", async () => {
    const rules = Deno.readTextFileSync(join(SHIPPED, "rekey.rules.yml"));
    const named = metricNames(rules + dashboardQueries().join("\n"));
    assert.ok(named.length > 15);
    let unknown = named;
    await until(async () => {
      const known: string[] = await prometheus.ask("label/__name__/values");
      unknown = named.filter((name) => !known.includes(name));
      return unknown.length === 0;
    }, { otherwise: () => `It has no ${unknown.join(", ")}` });
    for (const query of dashboardQueries()) {
      await prometheus.ask("query", { query: filledIn(query) });
    }
    const build = { "match[]": "rekey_build_info" };
    assert.deepEqual(await prometheus.ask("label/job/values", build), ["rekey"]);
  });

  await t.step("it goes on after a rotation, and sees it on both", async () => {
    await allAre("rekey_current_version", 1);
    await must(one, "rotate", "--force");
    await allAre("rekey_current_version", 2);
  });

  await t.step("no rule fails, and none fires while all is well", async () => {
    const { groups } = await prometheus.ask("rules");
    const rules: Rule[] = groups.flatMap(({ rules }: { rules: Rule[] }) => rules);
    assert.deepEqual(rules.filter(({ health }) => health !== "ok"), []);
    await firing("");
  });

  await t.step("a server that is stopped sets off an alert that names it", async () => {
    await there.stop();
    await firing(`RekeyDown ${targets[1]}: rekey serve on ${targets[1]} does not answer`);
  });

  // On a busy machine a scrape may take too long, and set one off that ends with the next.
  async function firing(expected: string): Promise<void> {
    let found = "";
    await until(async () => {
      const { alerts }: { alerts: Alert[] } = await prometheus.ask("alerts");
      found = alerts.filter(({ state }) => state === "firing").map(told).join("\n");
      return found === expected;
    }, { otherwise: () => `Not "${expected}" but "${found}"` });
  }
});

function told({ labels, annotations }: Alert): string {
  return `${labels.alertname} ${labels.instance}: ${annotations.summary}`;
}
