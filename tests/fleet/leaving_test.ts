import assert from "node:assert/strict";
import type { Box } from "../support/process/box.ts";
import { Etcd, Fleet, kept, must } from "../support/cluster/etcd.ts";
import { between } from "../support/cluster/etcd_between.ts";
import { queryRow, sql } from "../support/store/sql.ts";
import { Serving } from "../support/http/serving.ts";
import { until } from "../support/timing/pause.ts";

const AWAY = { REKEY_ETCD_ENDPOINTS: "http://127.0.0.1:1" };

const verdict = async (box: Box, token: string) => (await box.run(["verify", token])).code;

Deno.test("machines that leave a fleet, and come back to it", async (t) => {
  await using etcd = await Etcd.start(1);

  await t.step(
    "what others have ended does not count again where the secret is moved to",
    async () => {
      using fleet = await Fleet.start(etcd, 2, "moved");
      const [one, two] = fleet.machines as [Box, Box];
      const token = await two.token();
      await must(one, "rotate", "--force");
      await must(two, "store", "move", "database");
      assert.equal(await verdict(two, token), 3);
      assert.equal((await must(two, "status")).version, 2);
    },
  );

  await t.step("without etcd nothing is moved, and a grace window is refused", async () => {
    using fleet = await Fleet.start(etcd, 1, "unmoved");
    const [box] = fleet.machines as [Box];
    const leaving = (...args: string[]) => box.run([...args, "--json"], { env: AWAY });
    for (
      const args of [
        ["store", "move", "database"],
        ["rotate", "--force", "--store", "database", "--grace", "1h"],
      ]
    ) {
      const refused = await leaving(...args);
      assert.equal(refused.code, 4, args.join(" "));
      assert.equal(JSON.parse(refused.stderr).error.code, "etcd_unavailable");
    }
    assert.equal((await must(box, "status")).location, "etcd");
  });

  await t.step("after an emergency rotation the machine rotates by itself", async () => {
    using fleet = await Fleet.start(etcd, 2, "emergency");
    const [one, two] = fleet.machines as [Box, Box];
    await must(two, "rotate", "--prepare");
    await must(one, "status");
    delete one.env.REKEY_STORE;
    const left = await one.run(["rotate", "--force", "--store", "database"], { env: AWAY });
    assert.equal(left.code, 0, left.stderr);
    const rotated = await one.run(["rotate", "--force", "--json"], { env: AWAY });
    assert.equal(rotated.code, 0, rotated.stderr);
    assert.equal(JSON.parse(rotated.stdout).location, "database");
    // What was prepared is the others'.
    assert.equal(queryRow(one, "SELECT count(*) AS n FROM settings")!.n, 1);
  });

  await t.step("reading does not bring back a machine that leaves meanwhile", async () => {
    // A command reads its position, the state, and what it has to take over; at each of these the machine leaves.
    for (let n = 1, asked = n; asked >= n; n++) {
      asked = 0;
      using fleet = await Fleet.start(etcd, 2, `looking${n}`);
      const [one, two] = fleet.machines as [Box, Box];
      const token = await one.token();
      await must(two, "rotate", "--prepare");
      const tap = between(etcd, async (_body, pass) => {
        const answer = await pass();
        if (++asked === n) await must(one, "store", "move", "database");
        return answer;
      });
      await one.run(["verify", token], { env: { REKEY_ETCD_ENDPOINTS: tap.url } });
      await tap.stop();
      if (asked < n) assert.ok(n > 2, "it has read what it had to take over");
      else assert.equal((await must(one, "status")).location, "database", `request ${n}`);
    }
  });

  await t.step("nor does a server that is looking", async () => {
    // From the second look on it renews its lease first, then it reads.
    for (const kind of ["keepalive", "txn"]) {
      using fleet = await Fleet.start(etcd, 2, `serving-${kind}`);
      const [one, two] = fleet.machines as [Box, Box];
      const token = await one.token();
      let [started, left] = [false, false];
      const tap = between(etcd, async (_body, pass, path) => {
        if (started && path.endsWith(kind)) {
          started = false;
          await must(one, "store", "move", "database");
          left = true;
        }
        return await pass();
      });
      const env = { REKEY_ETCD_ENDPOINTS: tap.url };
      await using server = await Serving.start(one, ["--workers", "1", "--max-staleness", "5s"], {
        env,
      });
      started = true;
      await until(() => left);
      // It has left as soon as nothing of it is on the fleet's list.
      await until(async () => (await must(two, "status")).fleet.servers.length === 0);
      await must(two, "rotate", "--force");
      assert.equal(await server.auth(token), 204, kind);
      assert.equal((await must(one, "status")).location, "database", kind);
      await server.stop();
      await tap.stop();
    }
  });

  await t.step("nor does it take one out of the fleet that it joins meanwhile", async () => {
    using fleet = await Fleet.start(etcd, 2, "before");
    const [one, two] = fleet.machines as [Box, Box];
    // The file stays when the secret is destroyed.
    sql(one, "CREATE TABLE of_the_application (x)");
    for (let n = 0; n < 3; n++) await must(two, "rotate", "--force");
    let asked = 0;
    const tap = between(etcd, async (_body, pass) => {
      const answer = await pass();
      // The second request reads what is to be taken over.
      if (++asked !== 2) return answer;
      await must(one, "destroy", "--force");
      one.env.REKEY_ETCD_PREFIX = "/after/";
      await must(one, "init");
      return answer;
    });
    const env = { ...one.env, REKEY_ETCD_ENDPOINTS: tap.url };
    const late = await one.run(["verify", await two.token(), "--json"], { env });
    await tap.stop();
    assert.equal(JSON.parse(late.stderr).error.code, "fleet_foreign");
    assert.equal(await verdict(one, await one.token()), 0);
    assert.equal((await must(one, "status")).version, 1);
  });

  await t.step("one that has only lost what it knows of the fleet has not left", async () => {
    using fleet = await Fleet.start(etcd, 2, "forgetful");
    const [one, two] = fleet.machines as [Box, Box];
    const token = await one.token();
    sql(one, "DELETE FROM rekey_meta WHERE key = 'fleet'");
    await must(two, "rotate", "--force");
    assert.equal(await verdict(one, token), 3);
    assert.equal((await must(one, "status")).version, 2);
  });

  await t.step("a machine that leaves by a rotation is told that the others go on", async () => {
    using fleet = await Fleet.start(etcd, 2, "left");
    const [one, two] = fleet.machines as [Box, Box];
    const token = await two.token();
    const args = ["rotate", "--force", "--store", "database", "--json"];
    const left = await one.run([...args, "--wait", "1s"]);
    assert.equal(left.code, 5, left.stderr);
    assert.equal(JSON.parse(left.stdout).location, "database");
    assert.match(left.stderr, /the others continue with version 1/);
    assert.deepEqual([await verdict(one, token), await verdict(two, token)], [3, 0]);
  });

  await t.step("machines cannot come to use the secret in two ways", async () => {
    using fleet = new Fleet(etcd, 2, "use");
    const [one, two] = fleet.machines as [Box, Box];
    const value = "a-secret-of-an-application-that-was-hard-coded-0123456789-0123456789";
    assert.equal((await one.run(["import"], { stdin: value })).code, 0);
    await must(two, "init");
    const token = await two.token();
    const refused = await one.run(["init", "--alg", "HS256", "--json"]);
    assert.equal(JSON.parse(refused.stderr).error.code, "failed");
    assert.equal(await verdict(one, token), 0);
  });
});

Deno.test("backups of a fleet's machines", async (t) => {
  await using etcd = await Etcd.start(1);

  await t.step("a restored machine knows what the fleet has done since", async () => {
    using fleet = await Fleet.start(etcd, 2, "backup");
    const [one, two] = fleet.machines as [Box, Box];
    const path = `${one.home}/backup`;
    await must(one, "backup", path);
    const token = await one.token();
    await must(two, "rotate", "--force");
    await must(two, "rotate", "--prepare");
    // This machine has learnt of it before it is put back.
    await must(one, "status");
    assert.equal((await must(one, "restore", path, "--force")).version, 2);
    assert.equal(await verdict(one, token), 3);
    const { location, version } = await must(one, "status");
    assert.deepEqual([location, version], ["etcd", 2]);
    assert.equal(await verdict(two, await one.token()), 0);
    assert.equal((await must(one, "rotate", "--activate")).version, 3);
    assert.equal((await must(two, "status")).version, 3);
    for (const box of fleet.machines) assert.equal((await box.run(["audit", "verify"])).code, 0);
  });

  await t.step(
    "after a time by itself, too; and the log has what the others did meanwhile",
    async () => {
      using fleet = await Fleet.start(etcd, 2, "away");
      const [one, two] = fleet.machines as [Box, Box];
      const path = `${one.home}/backup`;
      await must(one, "backup", path);
      await must(one, "rotate", "--force", "--store", "database");
      assert.equal((await must(one, "restore", path, "--force")).secret_from, "etcd");
      await must(two, "rotate", "--force", "--reason", "meanwhile");
      // Not heard of yet.
      const again = await must(one, "restore", path, "--force");
      assert.deepEqual([again.secret_from, again.version], ["etcd", 2]);
      const { stdout } = await one.run(["audit", "list", "--json"]);
      assert.match(stdout, /rotation completed[^\n]*meanwhile/);
      await must(two, "rotate", "--force");
      assert.equal(await verdict(one, await two.token()), 0);
      assert.equal((await one.run(["audit", "verify"])).code, 0);
    },
  );

  await t.step(
    "not from an etcd that was put back to before what this machine has seen",
    async () => {
      using fleet = await Fleet.start(etcd, 1, "older");
      const [box] = fleet.machines as [Box];
      const path = `${box.home}/backup`;
      await must(box, "backup", path);
      const putBack = await kept(etcd, "/older/agiworkforce/");
      const token = await box.token();
      await must(box, "rotate", "--force");
      await putBack();
      const refused = await box.run(["restore", path, "--force", "--json"]);
      assert.equal(JSON.parse(refused.stderr).error.code, "fleet_behind");
      await must(box, "rotate", "--force");
      assert.equal(await verdict(box, token), 3);
    },
  );

  await t.step("on a new machine: in the fleet, or by itself when etcd is away", async () => {
    using fleet = await Fleet.start(etcd, 3, "again");
    const [one, two, three] = fleet.machines as [Box, Box, Box];
    const [path, passphrase] = [`${one.home}/backup`, `${one.home}/passphrase`];
    Deno.writeTextFileSync(passphrase, "correct horse battery staple\n", { mode: 0o600 });
    await must(one, "backup", path, "--with-secret", "--passphrase-file", passphrase);
    const token = await one.token();
    for (const box of [two, three]) await must(box, "destroy", "--force");
    // Else the backup would be a second one of a database that is still there.
    Deno.removeSync(one.database);
    const args = ["restore", path, "--passphrase-file", passphrase, "--json"];
    const refused = await two.run(args, { env: AWAY });
    assert.equal(JSON.parse(refused.stderr).error.code, "etcd_unavailable");
    assert.equal((await two.run(["status"])).code, 4, "nothing is left of it");
    const restored = JSON.parse((await two.run(args)).stdout);
    assert.deepEqual([restored.location, restored.secret_from], ["etcd", "etcd"]);
    assert.equal(await verdict(two, token), 0);
    const alone = await three.run([...args, "--store", "database"], { env: AWAY });
    assert.equal(alone.code, 0, alone.stderr);
    assert.equal(JSON.parse(alone.stdout).location, "database");
    delete three.env.REKEY_STORE;
    assert.equal((await three.run(["verify", token], { env: AWAY })).code, 0);
  });
});
