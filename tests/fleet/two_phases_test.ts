import assert from "node:assert/strict";
import type { Box } from "../support/process/box.ts";
import { REKEY } from "../support/process/box.ts";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";

Deno.test("a rotation in two phases, by its flags", async (t) => {
  await using etcd = await Etcd.start(1);

  await t.step("what a phase cannot do is refused, and nothing is made", async () => {
    using fleet = await Fleet.start(etcd, 1, "flags");
    const [box] = fleet.machines as [Box];
    const refused = [
      ["--prepare", "--dry-run"],
      ["--prepare", "--grace", "1h"],
      ["--prepare", "--after", "true"],
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
    // Machines that try at the same moment may each report the one activation.
    const activated = (await at("+30.1d")).filter((one) => one.rotated !== false);
    assert.deepEqual([...new Set(activated.map(({ kid }) => kid))], [prepared[0].kid]);
    for (const box of fleet.machines) {
      const { version, prepared: next } = await must(box, "status");
      assert.deepEqual([version, next], [2, null]);
    }
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
