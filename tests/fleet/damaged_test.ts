import assert from "node:assert/strict";
import type { Box } from "../support/process/box.ts";
import { examined } from "../support/commands/doctor.ts";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { until } from "../support/timing/pause.ts";
import { Serving } from "../support/http/serving.ts";
import { sql } from "../support/store/sql.ts";

const verdict = async (box: Box, token: string) => (await box.run(["verify", token])).code;

Deno.test("values and state that were replaced in etcd are found", async (t) => {
  await using etcd = await Etcd.start(1);
  const keyOf = (prefix: string, kid: string) => `/${prefix}/agiworkforce/values/${kid}`;
  const damages: [string, (key: string, other: string) => Promise<string>][] = [
    ["nothing", (key) => etcd.ctl("del", key)],
    ["garbage", (key) => etcd.ctl("put", key, "garbage")],
    ["another version's value", (key, other) => etcd.ctl("put", key, other)],
  ];

  for (const [n, [what, damage]] of damages.entries()) {
    await t.step(`${what} for the current value: no machine loses it`, async () => {
      const prefix = `current${n}`;
      using fleet = await Fleet.start(etcd, 3, prefix);
      const [one, two, three] = fleet.machines as [Box, Box, Box];
      const { kid } = await must(one, "rotate", "--force", "--grace", "1h");
      const token = await one.token();
      assert.equal(await verdict(two, token), 0);
      const keys = await etcd.ctl("get", "--prefix", keyOf(prefix, ""), "--keys-only");
      const other = keys.split("\n").find((key) => key !== "" && !key.endsWith(kid))!;
      await damage(
        keyOf(prefix, kid),
        (await etcd.ctl("get", "--print-value-only", other)).trimEnd(),
      );
      const found = await examined(one);
      assert.ok(found.findings.some(({ code }) => code === "secret_missing"));
      // A change that has nothing to do with it, and one after the other has followed it.
      await must(one, "rotate", "--prepare");
      for (const box of [one, two]) assert.equal(await verdict(box, token), 0);
      await must(three, "destroy", "--force");
      await must(three, "init");
      assert.equal(await verdict(three, token), 0);
    });
  }

  await t.step(
    "a prepared value that is lost is not activated; one that a machine has is put back",
    async () => {
      using fleet = await Fleet.start(etcd, 2, "prepared");
      const [one, two] = fleet.machines as [Box, Box];
      await must(two, "status");
      const { kid } = await must(one, "rotate", "--prepare");
      await etcd.ctl("put", keyOf("prepared", kid), "garbage");
      const refused = await two.run(["rotate", "--activate", "--json"]);
      assert.equal(JSON.parse(refused.stderr).error.code, "secret_missing");
      const token = await two.token();
      assert.equal((await must(one, "rotate", "--activate")).kid, kid);
      assert.equal(await verdict(two, token), 3);
      assert.equal(await verdict(two, await one.token()), 0);
    },
  );

  await t.step(
    "a copy on this machine that is damaged is no outage: etcd has the value",
    async () => {
      using fleet = await Fleet.start(etcd, 1, "copy");
      const [box] = fleet.machines as [Box];
      const token = await box.token();
      sql(box, "UPDATE settings SET value = 'garbage' WHERE key = 'jwt_secret'");
      assert.equal(await verdict(box, token), 0);
      const { stdout } = await box.run(["audit", "list", "--json"]);
      assert.match(stdout, /JWT secret retrieved from etcd/);
      assert.match(stdout, /Secret storage error/);
    },
  );

  await t.step(
    "a state that does not open is deleted and put back by what its hint says",
    async () => {
      using fleet = await Fleet.start(etcd, 2, "state");
      const [one, two] = fleet.machines as [Box, Box];
      const token = await one.token();
      await using server = await Serving.start(two, ["--workers", "1", "--max-staleness", "2s"]);
      await etcd.ctl("put", "/state/agiworkforce/state", "garbage");
      const refused = await one.run(["status"]);
      assert.equal(refused.code, 4);
      assert.match(refused.stderr, /etcdctl del …\/agiworkforce\/state.*store move etcd/s);
      let detail = "";
      const saysSo = async () => {
        ({ detail = "" } = await (await server.get("/readyz")).json());
        return /could not be followed .*\(secret_damaged\)/.test(detail);
      };
      await until(saysSo, { every: 100, otherwise: () => detail });
      await etcd.ctl("del", "/state/agiworkforce/state");
      await must(one, "store", "move", "etcd");
      for (const box of fleet.machines) assert.equal(await verdict(box, token), 0);
      const accepts = async () => await server.auth(token) === 204;
      await until(accepts, { otherwise: () => server.stderr });
    },
  );

  await t.step(
    "ended sessions come back with what is put back, and with a machine that moves in",
    async () => {
      using fleet = await Fleet.start(etcd, 3, "ended");
      const [one, two, three] = fleet.machines as [Box, Box, Box];
      const { token, jti } = await must(one, "issue", "--sub", "alice");
      await must(one, "session", "revoke", jti);
      await etcd.ctl("del", "--prefix", "/ended/");
      await must(one, "store", "move", "etcd");
      await must(three, "destroy", "--force");
      await must(three, "init");
      for (const box of fleet.machines) assert.equal(await verdict(box, token), 3);
      await must(one, "store", "move", "database");
      const other = await must(one, "issue", "--sub", "bob");
      await must(one, "session", "revoke", other.jti);
      await must(one, "store", "move", "etcd");
      assert.equal(await verdict(two, other.token), 3);
    },
  );
});

Deno.test("members of different etcds are noticed before anything is shared", async () => {
  await using one = await Etcd.start(1);
  await using other = await Etcd.start(1);
  using fleet = new Fleet(one, 1, "split");
  const [box] = fleet.machines as [Box];
  const both = { REKEY_ETCD_ENDPOINTS: `${one.endpoints},${other.endpoints}` };
  const refused = await box.run(["init", "--json"], { env: both });
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /different etcds/);
  await must(box, "init");
  const { findings } = await examined(box, [], { env: both });
  assert.ok(findings.some(({ code }) => code === "etcd_split"));
});
