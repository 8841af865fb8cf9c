import assert from "node:assert/strict";
import type { Box } from "../support/process/box.ts";
import { REKEY } from "../support/process/box.ts";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { between, unavailable } from "../support/cluster/etcd_between.ts";

Deno.test("a rotation in two phases, by its flags", async (t) => {
  await using etcd = await Etcd.start(1);

  await t.step("what a phase cannot do is refused, and nothing is made", async () => {
    using fleet = await Fleet.start(etcd, 1, "flags");
    const [box] = fleet.machines as [Box];
    const refused = [
      ["--prepare", "--dry-run"],
      ["--prepare", "--grace", "1h"],
      ["--prepare", "--after", "true"],
      ["--prepare", "--store", "database"],
      ["--activate", "--store", "etcd"],
      ["--prepare", "--activate"],
      ["--activate", "--dry-run"],
      ["--activate", "--reason", "drill"],
    ];
    const before = await etcd.ctl("get", "--prefix", "/flags/");
    for (const flags of refused) {
      const { code, stderr } = await box.run(["rotate", "--force", ...flags]);
      assert.equal(code, 2, `${flags}: ${stderr}`);
    }
    assert.equal(await etcd.ctl("get", "--prefix", "/flags/"), before);
  });

  await t.step("timers of all machines at once: each step is taken once", async () => {
    using fleet = await Fleet.start(etcd, 4, "timers");
    const timer = [
      "rotate",
      "--force",
      "--if-older-than",
      "30d",
      "--standby",
      "1d",
      "--grace",
      "24h",
    ];
    const at = (by: string) =>
      Promise.all(fleet.machines.map(async (box) => {
        const line = ["-f", by, REKEY, ...timer, "--alg", "ES256", "--json"];
        const { code, stdout, stderr } = await box.exec("/usr/bin/faketime", line);
        assert.equal(code, 0, stderr);
        return JSON.parse(stdout);
      }));
    const prepared = (await at("+29d")).filter((one) => one.prepared);
    assert.equal(prepared.length, 1);
    assert.ok((await at("+29.5d")).every((one) => one.rotated === false));
    const activated = (await at("+30.1d")).filter((one) => one.rotated !== false);
    assert.deepEqual(activated.map(({ kid }) => kid), [prepared[0].kid]);
    for (const box of fleet.machines) {
      const { version, prepared: next } = await must(box, "status");
      assert.deepEqual([version, next], [2, null]);
    }
  });

  await t.step(
    "of two machines that activate at the same moment one says that it did",
    async () => {
      using fleet = await Fleet.start(etcd, 2, "moment");
      const [one, two] = fleet.machines as [Box, Box];
      const { kid } = await must(one, "rotate", "--prepare");
      const first: { kid: string; rotated?: boolean }[] = [];
      const tap = between(etcd, async (body, pass) => {
        if (first.length > 0 || !body.includes('"compare":[{')) return await pass();
        first.push(await must(one, "rotate", "--activate"));
        return await pass();
      });
      two.env.REKEY_ETCD_ENDPOINTS = tap.url;
      const { code, stdout, stderr } = await two.run(["rotate", "--activate"]);
      assert.deepEqual(first.map(({ kid, rotated }) => [kid, rotated]), [[kid, undefined]]);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, `Already active: version 2 (kid ${kid}) in etcd\n`);
      await tap.stop();
    },
  );

  await t.step("an activation whose answer was lost is still the machine's own", async () => {
    using fleet = await Fleet.start(etcd, 2, "own");
    const [one, two] = fleet.machines as [Box, Box];
    const { kid } = await must(one, "rotate", "--prepare");
    let lost = false;
    const tap = between(etcd, async (body, pass) => {
      const answer = await pass();
      if (lost || !body.includes('"compare":[{')) return answer;
      lost = true;
      await answer.body?.cancel();
      await must(one, "rotate", "--force");
      return await unavailable();
    });
    two.env.REKEY_ETCD_ENDPOINTS = tap.url;
    const activated = await must(two, "rotate", "--activate");
    assert.deepEqual([lost, activated.kid, activated.rotated], [true, kid, undefined]);
    assert.equal((await must(two, "status")).version, 3);
    await tap.stop();
  });

  await t.step(
    "a copy is kept before a version is activated, unless it is not wanted",
    async () => {
      using fleet = await Fleet.start(etcd, 1, "copies");
      const [box] = fleet.machines as [Box];
      const copies = () =>
        [...box.files().keys()].filter((path) => /\.v\d+\.backup$/.test(path)).length;
      await must(box, "rotate", "--prepare");
      await must(box, "rotate", "--activate", "--no-backup");
      assert.equal(copies(), 0);
      await must(box, "rotate", "--prepare");
      await must(box, "rotate", "--activate");
      assert.equal(copies(), 1);
    },
  );
});
