import assert from "node:assert/strict";
import { join } from "node:path";
import { removeDatabase } from "../support/store/backing_up.ts";
import type { Box } from "../support/process/box.ts";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { listener } from "../support/commands/exec_programs.ts";
import { Running } from "../support/process/running.ts";
import { Serving } from "../support/http/serving.ts";

/** From now on nothing names etcd or the KEK. */
function forget(box: Box): void {
  for (const name of Object.keys(box.env)) if (name.startsWith("REKEY_")) delete box.env[name];
}

Deno.test("etcd and the KEK need to be named only once", async (t) => {
  await using etcd = await Etcd.start(1);

  await t.step("later commands, a server and exec go on without variables", async () => {
    using fleet = await Fleet.start(etcd, 2, "named-once");
    const [one, two] = fleet.machines as [Box, Box];
    fleet.machines.forEach(forget);
    const token = await one.token();
    const status = await must(two, "status");
    assert.deepEqual([status.location, status.kek.remembered], ["etcd", true]);
    assert.equal(status.fleet.etcd_remembered, true);
    await using server = await Serving.start(one);
    const asked = async () => {
      const answer = await fetch(`${server.url}/auth`, {
        headers: { authorization: `Bearer ${token}` },
      });
      await answer.body?.cancel();
      return answer.status;
    };
    assert.equal(await asked(), 204);
    const flags = ["--on-rotate", "signal:HUP"];
    await using running = await Running.start(one, listener(), { flags });
    const rotated = await must(two, "rotate", "--force", "--wait", "30s");
    assert.equal(rotated.unconfirmed?.length ?? 0, 0, "the server is on the fleet's list");
    assert.equal(await asked(), 401);
    await running.until(() => running.stdout.includes("SIGHUP"));
  });

  await t.step("a source that is named counts, and nothing else", async () => {
    using fleet = await Fleet.start(etcd, 1, "named-now");
    const [box] = fleet.machines as [Box];
    forget(box);
    const env = { REKEY_ETCD_ENDPOINTS: "http://127.0.0.1:1" };
    const { code, stderr } = await box.run(["status", "--json"], { env });
    assert.equal(code, 4);
    assert.equal(JSON.parse(stderr).error.code, "etcd_unavailable");
  });

  await t.step("a machine that moves in with `store move` remembers it too", async () => {
    using fleet = new Fleet(etcd, 1, "moves-in");
    const [box] = fleet.machines as [Box];
    await must(box, "init", "--store", "database");
    await must(box, "store", "move", "etcd");
    forget(box);
    assert.equal((await must(box, "rotate", "--force")).location, "etcd");
    await must(box, "store", "move", "database");
    assert.equal((await must(box, "rotate", "--force")).location, "database");
  });

  await t.step("the addresses in a backup are not asked, and its KEK is the fleet's", async () => {
    using fleet = await Fleet.start(etcd, 1, "restored");
    const [box] = fleet.machines as [Box];
    const token = await box.token();
    const named = { ...box.env };
    await must(box, "backup", join(box.home, "b.db"));
    forget(box);
    removeDatabase(box);
    const refused = await box.run(["restore", "b.db", "--json"]);
    assert.equal(JSON.parse(refused.stderr).error.code, "etcd_unconfigured");
    Object.assign(box.env, named);
    assert.equal((await must(box, "restore", "b.db")).secret_from, "etcd");
    forget(box);
    assert.equal((await must(box, "verify", token)).valid, true, "it was named again");

    // Without the KEK nothing that is shared opens; the other machines have it.
    removeDatabase(box);
    Deno.removeSync(join(box.home, "kek"));
    Object.assign(box.env, named);
    delete box.env.REKEY_KEK_FILE;
    const lost = await box.run(["restore", "b.db", "--new-secret", "--json"]);
    const { code, hint } = JSON.parse(lost.stderr).error;
    assert.equal(code, "kek_missing");
    assert.match(hint, /other machines of the fleet have the KEK/);
    const own = ["restore", "b.db", "--new-secret", "--store", "database"];
    const { secret_from, location } = await must(box, ...own);
    assert.deepEqual([secret_from, location], ["new", "database"]);
    assert.equal((await must(box, "audit", "verify")).valid, true);
  });
});
