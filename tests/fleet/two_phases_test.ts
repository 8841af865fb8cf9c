import assert from "node:assert/strict";
import type { Box } from "../support/process/box.ts";
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
