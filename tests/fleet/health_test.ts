import assert from "node:assert/strict";
import { dirname } from "node:path";
import { type Box, REKEY } from "../support/process/box.ts";
import { examined } from "../support/commands/doctor.ts";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { checkAlerts } from "../support/http/alerts.ts";
import { Serving } from "../support/http/serving.ts";
import { sql } from "../support/store/sql.ts";
import { pause, until } from "../support/timing/pause.ts";

const codes = async (box: Box) =>
  (await examined(box)).findings.filter(({ level }) => level === "wrong").map(({ code }) => code);

const DOWN = "etcd_member_down";

/** What doctor must find. A member of etcd that stands still for a moment counts as down, until it answers again. */
async function finds(box: Box, expected: readonly string[]): Promise<void> {
  let found: string[] = [];
  await until(async () => {
    found = await codes(box);
    return expected.includes(DOWN) || !found.includes(DOWN);
  });
  assert.deepEqual(found, expected);
}

/** Version, whether it follows, and lag of each server on the status page, which reads the list from etcd meanwhile. */
async function membersShown(server: Serving): Promise<unknown[][]> {
  for (;;) {
    const { fleet: { members } } = await (await server.get("/status.json")).json();
    // deno-lint-ignore no-explicit-any
    const all = members.map((one: any) => [one.version, one.followed, one.lag_seconds]);
    if (all[0]?.[0] === 2) return all;
    await pause(50);
  }
}

/** What `status` says of a fleet once all members of etcd answer it. */
async function fleetOf(box: Box) {
  let { fleet } = await must(box, "status");
  const answers = ({ leads }: { leads?: boolean }) => leads !== undefined;
  await until(async () => {
    if (fleet.etcd.every(answers)) return true;
    ({ fleet } = await must(box, "status"));
    return false;
  });
  return fleet;
}

/** What doctor finds where nothing says where etcd is. */
async function unconfigured(box: Box) {
  const rename = (from: string, to: string) =>
    sql(box, `UPDATE rekey_meta SET key = '${to}' WHERE key = '${from}'`);
  rename("etcd_source", "aside");
  try {
    const { findings } = await examined(box, [], { env: { REKEY_ETCD_ENDPOINTS: "" } });
    return findings.find(({ code }) => code === "etcd_unconfigured");
  } finally {
    rename("aside", "etcd_source");
  }
}

Deno.test("status, doctor and metrics of a fleet", async (t) => {
  await using etcd = await Etcd.start(3);
  using fleet = await Fleet.start(etcd, 2, "health");
  const [one, two] = fleet.machines as [Box, Box];

  await t.step("a healthy machine", async () => {
    await using server = await Serving.start(two, ["--workers", "1"]);
    const metrics = async () => await (await server.get("/metrics")).text();
    const before = await metrics();
    await must(one, "rotate", "--force", "--wait", "30s");
    const seen = await fleetOf(one);
    assert.equal(seen.change, 2);
    assert.equal(seen.prepared, null);
    assert.equal(seen.servers.length, 1);
    const [{ version, behind, change }] = seen.servers;
    assert.deepEqual({ version, behind, change }, { version: 2, behind: false, change: 2 });
    assert.deepEqual(await membersShown(server), [[2, true, null]]);
    assert.equal(seen.etcd.length, 3);
    assert.equal(seen.etcd.filter(({ leads }: { leads: boolean }) => leads).length, 1);
    await until(async () => {
      const { stdout } = await one.run(["status"]);
      assert.match(stdout, /^servers +1, all up to date$/m);
      return /^etcd +3 of 3 members answer$/m.test(stdout);
    });
    await finds(one, []);
    const after = await metrics();
    assert.match(after, /^rekey_fleet_change 2$/m);
    const staleness = Number(/^rekey_fleet_staleness_seconds (\S+)$/m.exec(after)?.[1]);
    assert.ok(staleness >= 0 && staleness < 10, `${staleness}`);
    const at = Date.now() / 1000;
    // As of a machine that has not followed.
    const scraped = [{ instance: "one", at, after }, { instance: "two", at, after: before }];
    await using deaf = await Serving.start(one, ["--workers", "1"], {
      env: { REKEY_ETCD_ENDPOINTS: "http://127.0.0.1:1" },
    });
    const stale = await (await deaf.get("/metrics")).text();
    await checkAlerts(one, [
      { alert: "RekeyFleetMemberBehind", scraped },
      { alert: "RekeyFleetStale", scraped: [{ instance: "one", at, after: stale }] },
    ]);
    // One that is killed stays on the list for a while.
    await server.stop();
  });

  await t.step("a prepared version is shown", async () => {
    const { version, kid } = await must(one, "rotate", "--prepare");
    assert.deepEqual((await must(two, "status")).fleet.prepared, { version, kid });
    await must(one, "rotate", "--activate");
  });

  await t.step("a server that does not follow is named", async () => {
    await using silent = await Serving.start(two, ["--workers", "1", "--max-staleness", "30s"]);
    silent.process.kill("SIGSTOP");
    await must(one, "rotate", "--force");
    await finds(one, ["fleet_lagging"]);
    const { stdout } = await one.run(["status"]);
    assert.match(stdout, /^servers +1, 1 behind$/m);
    assert.match(stdout, /^behind +\S+@\S+ \([\w-]+\) verifies with version \d+$/m);
    silent.process.kill("SIGCONT");
    await silent.stop();
  });

  await t.step("a member that is down is named", async () => {
    // Without the leader nothing answers for a moment.
    const leader = await etcd.leader();
    const member = etcd.members.find((one) => one !== leader);
    await etcd.kill(member!);
    await finds(one, ["etcd_member_down"]);
    const { findings } = await examined(one);
    const { command } = findings.find(({ code }) => code === "etcd_member_down")!;
    assert.ok(command!.includes(member!.url), command!);
    etcd.restart(member!);
    await etcd.healthy();
  });

  await t.step("an error of etcd is reported as what it is", async () => {
    const elsewhere = async (env: Record<string, string>) =>
      (await examined(one, [], { env })).findings.map(({ code }) => code);
    assert.ok(await unconfigured(one) !== undefined);
    const unreachable = { REKEY_ETCD_ENDPOINTS: "http://127.0.0.1:1" };
    const { findings: down } = await examined(one, [], { env: unreachable });
    const { why, command } = down.find(({ code }) => code === "etcd_unavailable")!;
    assert.match(why, /http:\/\/127\.0\.0\.1:1: it cannot be reached/);
    assert.doesNotMatch(why, /rekey doctor/, "what it has just done is no advice");
    assert.equal(command, "ETCDCTL_ENDPOINTS=http://127.0.0.1:1 etcdctl endpoint health");
    assert.ok((await elsewhere({ REKEY_ETCD_PREFIX: "/nothing/" })).includes("fleet_behind"));
    using stranger = await Fleet.start(etcd, 1, "stranger");
    const env = {
      REKEY_ETCD_PREFIX: "/stranger/",
      REKEY_KEK_FILE: stranger.machines[0]!.env.REKEY_KEK_FILE!,
    };
    // Its KEK is another one, and that is said.
    assert.ok((await elsewhere(env)).includes("kek_wrong"));
    // Another fleet under the same KEK.
    const [box] = stranger.machines as [Box];
    await must(box, "destroy", "--force");
    await etcd.ctl("del", "--prefix", "/stranger/");
    box.env.REKEY_KEK_FILE = one.env.REKEY_KEK_FILE!;
    await must(box, "init");
    const foreign = await elsewhere({ REKEY_ETCD_PREFIX: "/stranger/" });
    assert.ok(foreign.includes("fleet_foreign"));
    const { findings } = await examined(one, [], { env: { REKEY_ETCD_PREFIX: "/stranger/" } });
    assert.equal(findings.find(({ code }) => code === "fleet_foreign")!.command, null);
    // What a real one does not say on demand.
    const refusal = JSON.stringify({ error: "etcdserver: corrupt cluster", code: 15 });
    await using broken = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      () => new Response(refusal, { status: 500 }),
    );
    const { port } = broken.addr;
    const failed = await elsewhere({ REKEY_ETCD_ENDPOINTS: `http://127.0.0.1:${port}` });
    assert.ok(failed.includes("etcd_failed"));
    const single = { REKEY_ETCD_ENDPOINTS: etcd.members[1]!.url };
    assert.ok((await elsewhere(single)).includes("etcd_single"));
  });

  await t.step("the command that is named fixes it", async () => {
    using small = await Fleet.start(etcd, 2, "fix");
    const [here, there] = small.machines as [Box, Box];
    const path = `${dirname(REKEY)}:/usr/bin:/bin`;
    const env = { ETCDCTL_API: "3", PATH: path };
    const key = (name: string) => `/fix/agiworkforce/${name}`;
    const next = async (code: string) => {
      const { findings } = await examined(here);
      return findings.find((one) => one.code === code)!.command;
    };
    const followed = async (code: string) =>
      await here.exec("/bin/sh", ["-c", (await next(code))!], { env });

    assert.equal((await unconfigured(here))!.command, null);
    await etcd.ctl("del", "--prefix", key("values/"));
    await finds(here, ["secret_missing"]);
    assert.equal((await followed("secret_missing")).code, 0);
    await finds(here, []);
    await must(there, "destroy", "--force");
    await must(there, "init");
    await etcd.ctl("put", key("state"), "damaged");
    await finds(here, ["secret_damaged"]);
    assert.equal((await followed("secret_damaged")).code, 0);
    await finds(here, ["fleet_behind"]);
    await must(here, "rotate", "--force");
    await finds(here, []);
    assert.equal((await must(there, "status")).version, (await must(here, "status")).version);
  });
});
