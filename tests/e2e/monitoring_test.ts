import assert from "node:assert/strict";
import { join } from "node:path";
import { type AlertCase, checkAlerts, type Scraped } from "../support/http/alerts.ts";
import { certify, tlsFlags } from "../support/http/certificates.ts";
import { dashboardQueries, metricNames } from "../support/http/dashboard.ts";
import { parse } from "../support/http/metrics.ts";
import { SHIPPED } from "../support/http/prometheus.ts";
import { Serving } from "../support/http/serving.ts";
import { type Box, REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { start } from "../../scripts/program.ts";
import { query, sql } from "../support/store/sql.ts";
import { until } from "../support/timing/pause.ts";

async function scrape(box: Box, serving: Serving): Promise<string> {
  const { stdout } = await box.exec("curl", ["--silent", "--insecure", `${serving.url}/metrics`]);
  return stdout;
}

const scraped = (after: string, before?: string): Scraped => ({
  instance: "one",
  at: Date.now() / 1000,
  after,
  ...before === undefined ? {} : { before },
});

/** Provokes what a running server sees of changes by other processes. */
async function changes(box: Box): Promise<AlertCase[]> {
  await using serving = await Serving.start(box, ["--workers", "1"]);
  const token = await box.token();
  const must = async (...args: string[]) => {
    const ended = await box.run(args);
    assert.ok([0, 5].includes(ended.code), ended.stderr);
  };
  for (let n = 0; n < 5; n++) assert.equal(await serving.auth(token), 204);
  const fine = await scrape(box, serving);
  const cases: AlertCase[] = [{ alert: undefined, scraped: [scraped(fine)] }];
  const sees = async (alert: string, before?: string) =>
    cases.push({ alert, scraped: [scraped(await scrape(box, serving), before)] });

  assert.notEqual((await box.run(["rotate", "--force", "--before", "false"])).code, 0);
  await sees("RekeyRotationFailed", fine);

  const holder = start(REKEY, ["exec", "--", "sleep", "600"], box.surroundings());
  await serving.until(() => holding(box));
  Deno.writeTextFileSync(join(box.home, "follows"), "");
  const files = ["--format", "jwks", "--path", join(box.home, "api.json")];
  await must("deliver", "add", "api", ...files, "--reload", `test -e '${box.home}/follows'`);
  Deno.removeSync(join(box.home, "follows"));
  await must("rotate", "--force");
  for (let n = 0; n < 5; n++) assert.equal(await serving.auth(token), 401);
  await sees("RekeyTokensRefusedAfterRotation", fine);
  await sees("RekeyProgramHoldsEndedSecret");
  await sees("RekeyDeliveryBehind");
  holder.kill("SIGKILL");
  await holder.status;

  sql(box, "UPDATE rekey_audit SET actor = 'x' WHERE seq = (SELECT max(seq) FROM rekey_audit)");
  await must("rotate", "--force");
  await sees("RekeyAuditLogUnsigned");

  await must("issue", "--sub", "alice", "--audit-to", join(box.home, "nowhere/log"));
  const unsent = "WHERE seq > (SELECT seq FROM rekey_audit_sinks)";
  sql(box, `UPDATE rekey_audit SET time = '2026-01-01T00:00:00.000Z' ${unsent}`);
  await sees("RekeyAuditSinkBehind");

  sql(box, "UPDATE rekey_versions SET created_at = created_at + 86400000 WHERE state = 'current'");
  await sees("RekeyClockWasAhead");
  const aside = `${box.database}.aside`;
  Deno.renameSync(box.database, aside);
  Deno.writeTextFileSync(box.database, "no database");
  await sees("RekeyDatabaseUnreadable");
  return cases;
}

function holding(box: Box): boolean {
  return query(box, "SELECT 1 FROM rekey_exec").length > 0;
}

/** A server whose certificate soon ends, and where a rotation has been due for long. */
async function dueAndExpiring(box: Box): Promise<AlertCase[]> {
  const tls = await certify(box, "server");
  await using serving = await Serving.start(box, [
    ...["--workers", "1", "--max-age", "1s", ...tlsFlags(tls)],
  ]);
  let text = "";
  await until(
    async () => parse(text = await scrape(box, serving)).get("rekey_rotation_due") === 1,
    { every: 250 },
  );
  const seen = [scraped(text)];
  return ["RekeyRotationDue", "RekeyCertificateExpires"].map((alert) => ({ alert, scraped: seen }));
}

/** A server without the key of its secret. */
async function notReady(box: Box): Promise<AlertCase> {
  Deno.renameSync(join(box.home, ".config/rekey"), join(box.home, "aside"));
  await using serving = await Serving.start(box, ["--workers", "1"]);
  return { alert: "RekeyNotReady", scraped: [scraped(await scrape(box, serving))] };
}

Deno.test("each alert of the shipped rules is set off by metrics of a real server, and none by a healthy one", async () => {
  using box = await initialised();
  using other = await initialised();
  const cases = [...await dueAndExpiring(other), await notReady(other), ...await changes(box)];
  await checkAlerts(box, [...cases, { alert: "RekeyDown", scraped: [] }]);
  const rules = Deno.readTextFileSync(join(SHIPPED, "rekey.rules.yml"));
  const all = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);
  const elsewhere = ["RekeyFallbackUsed", "RekeyFleetStale", "RekeyFleetMemberBehind"];
  const seen = cases.map(({ alert }) => alert).concat("RekeyDown", elsewhere);
  assert.deepEqual(all.filter((name) => !seen.includes(name)), []);
});

Deno.test("Prometheus takes the shipped examples", async () => {
  using box = await initialised();
  for (const name of ["prometheus.yml", "rekey.rules.yml"]) {
    const text = Deno.readTextFileSync(join(SHIPPED, name));
    Deno.writeTextFileSync(join(box.home, name), text.replaceAll("/etc/prometheus/", ""));
  }
  await certify(box, "rekey-ca");
  Deno.writeTextFileSync(join(box.home, "rekey.token"), "x".repeat(32));
  const ended = await box.exec("promtool", ["check", "config", "prometheus.yml"]);
  assert.equal(ended.code, 0, ended.stdout + ended.stderr);
  assert.match(ended.stdout, /1 rule files found[^]*SUCCESS: \d+ rules found/);
});

Deno.test("rules and dashboard name no metric that a server does not have", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box, ["--workers", "1"]);
  await serving.auth(await box.token());
  const known = new Set(
    [...parse(await scrape(box, serving)).keys()].map((name) => name.replace(/\{.*$/, "")),
  );
  // Of servers with a certificate, a sink or a fleet: tests/fleet/prometheus_test.ts has them all.
  const others = [
    "rekey_audit_sink_lag_seconds",
    "rekey_tls_certificate_expiry_timestamp_seconds",
    "rekey_fleet_change",
    "rekey_fleet_staleness_seconds",
  ];
  const queries = dashboardQueries();
  assert.ok(queries.length > 15);
  const rules = Deno.readTextFileSync(join(SHIPPED, "rekey.rules.yml"));
  const named = metricNames(queries.join("\n") + rules);
  assert.deepEqual(named.filter((name) => !known.has(name) && !others.includes(name)), []);
  const asRules = queries.map((expr, n) => ({
    record: `query:${n}`,
    expr: expr.replaceAll("$__rate_interval", "5m"),
  }));
  const file = join(box.home, "dashboard.json");
  Deno.writeTextFileSync(file, JSON.stringify({ groups: [{ name: "dashboard", rules: asRules }] }));
  const ended = await box.exec("promtool", ["check", "rules", file]);
  assert.equal(ended.code, 0, ended.stdout + ended.stderr);
});
