import assert from "node:assert/strict";
import type { Box } from "../support/process/box.ts";
import { Etcd, Fleet, kept, must } from "../support/cluster/etcd.ts";
import { between } from "../support/cluster/etcd_between.ts";
import { Serving } from "../support/http/serving.ts";

const verdict = async (box: Box, token: string) => (await box.run(["verify", token])).code;

const rotate = async (box: Box, times: number) => {
  for (let n = 0; n < times; n++) await must(box, "rotate", "--force");
};

Deno.test("an etcd that was put back and has gone on", async (t) => {
  await using etcd = await Etcd.start(1);

  for (
    const { name, before, since } of [
      { name: "less", before: 2, since: 1 },
      { name: "as far", before: 2, since: 2 },
      { name: "further", before: 2, since: 3 },
    ]
  ) {
    await t.step(
      `${name} than a machine has seen: it refuses, and all go on from its rotation`,
      async () => {
        const prefix = name.replace(" ", "");
        using fleet = await Fleet.start(etcd, 3, prefix);
        const [one, two, three] = fleet.machines as [Box, Box, Box];
        const putBack = await kept(etcd, `/${prefix}/agiworkforce/`);
        await rotate(one, before);
        const ours = await one.token();
        await putBack();
        await using server = await Serving.start(two, ["--workers", "1"]);
        await rotate(two, since);
        const theirs = await two.token();
        const refused = await one.run(["verify", theirs, "--json"]);
        assert.equal(JSON.parse(refused.stderr).error.code, "fleet_behind");
        const { version, kid } = await must(one, "rotate", "--force", "--wait", "30s");
        assert.equal(version, 2 + Math.max(before, since));
        const token = await three.token();
        for (const box of fleet.machines) {
          assert.equal((await must(box, "status")).kid, kid);
          assert.deepEqual([await verdict(box, ours), await verdict(box, theirs)], [3, 3]);
          assert.equal(await verdict(box, token), 0);
          assert.equal((await box.run(["audit", "verify"])).code, 0);
        }
        assert.deepEqual([await server.auth(theirs), await server.auth(token)], [401, 204]);
        await rotate(two, 1);
        assert.equal((await must(one, "status")).version, version + 1);
      },
    );
  }

  await t.step("while others fix it, nothing that they have done is undone", async () => {
    using fleet = await Fleet.start(etcd, 2, "race");
    const [one, two] = fleet.machines as [Box, Box];
    const putBack = await kept(etcd, "/race/agiworkforce/");
    await must(one, "rotate", "--force");
    await must(two, "status");
    const token = await two.token();
    await putBack();
    // Between what it has read and what it asks next.
    let asked = 0;
    const tap = between(etcd, async (body, pass) => {
      if (body.includes('"success"') && ++asked === 2) await must(one, "rotate", "--force");
      return await pass();
    });
    await must(
      Object.assign(two, { env: { ...two.env, REKEY_ETCD_ENDPOINTS: tap.url } }),
      "store",
      "move",
      "etcd",
    );
    assert.ok(asked >= 2);
    assert.equal((await must(one, "status")).version, 3);
    assert.equal((await must(two, "status")).version, 3);
    assert.deepEqual([await verdict(one, token), await verdict(two, token)], [3, 3]);
    await tap.stop();
  });

  await t.step(
    "where it has gone on, a version of the same number is not put back beside it",
    async () => {
      using fleet = await Fleet.start(etcd, 2, "numbers");
      const [one, two] = fleet.machines as [Box, Box];
      const putBack = await kept(etcd, "/numbers/agiworkforce/");
      await must(one, "rotate", "--force");
      await putBack();
      await must(two, "rotate", "--force");
      const refused = await one.run(["store", "move", "etcd", "--json"]);
      assert.equal(JSON.parse(refused.stderr).error.code, "fleet_behind");
      await must(two, "status");
      const { kid } = await must(one, "rotate", "--force");
      assert.equal((await must(two, "status")).kid, kid);
    },
  );

  await t.step("the end of a grace window is brought back", async () => {
    using fleet = await Fleet.start(etcd, 2, "window");
    const [one, two] = fleet.machines as [Box, Box];
    const token = await one.token();
    await must(one, "rotate", "--force", "--grace", "1h");
    const putBack = await kept(etcd, "/window/agiworkforce/");
    await must(one, "revoke");
    await putBack();
    // It cannot know.
    assert.equal(await verdict(two, token), 0);
    await must(one, "revoke");
    assert.deepEqual([await verdict(one, token), await verdict(two, token)], [3, 3]);
  });
});
