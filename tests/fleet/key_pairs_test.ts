import assert from "node:assert/strict";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { Serving } from "../support/http/serving.ts";
import type { Box } from "../support/process/box.ts";
import { assertNowhere, spellings } from "../support/leaks/leaks.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";

Deno.test("machines that share key pairs: rotations, KEK and moves", async (t) => {
  await using etcd = await Etcd.start(1);

  await t.step(
    "a rotation to a key pair and back is followed, in one phase and in two",
    async () => {
      using fleet = await Fleet.start(etcd, 2, "pairs");
      const [one, two] = fleet.machines as [Box, Box];
      await using serving = await Serving.start(two);
      const tokens = [await one.token()];
      await must(one, "rotate", "--force", "--alg", "RS256", "--bits", "4096", "--grace", "1h");
      tokens.push(await two.token());
      await must(two, "rotate", "--prepare", "--alg", "ES256");
      await must(one, "rotate", "--activate", "--force", "--grace", "1h");
      tokens.push(await one.token());
      for (const box of [one, two]) {
        for (const token of tokens) assert.equal((await box.json("verify", token)).valid, true);
        assert.equal((await box.json("status")).alg, "ES256");
      }
      for (const token of tokens) assert.equal(await serving.auth(token), 204);
      // Without it a server may be behind for a moment, which `--max-staleness` bounds.
      await must(one, "rotate", "--force", "--alg", "HS512", "--wait", "30s");
      for (const token of tokens) {
        assert.equal(await serving.auth(token), 401);
        assert.equal((await two.run(["verify", token])).code, 3);
      }
    },
  );

  await t.step("another KEK seals the values of key pairs too", async () => {
    using fleet = await Fleet.start(etcd, 2, "pairskek");
    const [one, two] = fleet.machines as [Box, Box];
    await must(one, "rotate", "--force", "--alg", "PS256");
    const token = await one.token();
    const fresh = crypto.getRandomValues(new Uint8Array(32));
    for (const box of [one, two]) {
      const path = `${box.home}/kek2`;
      Deno.writeFileSync(path, fresh, { mode: 0o600 });
      await must(box, "kek", "rotate", "--to-kek-file", path);
      box.env.REKEY_KEK_FILE = path;
      assert.equal((await box.json("verify", token)).valid, true);
    }
  });

  await t.step(
    "a key pair goes from the keyring to etcd and back, and its value is sealed there",
    async () => {
      await using box = await KeyringBox.start();
      using fleet = new Fleet(etcd, 1, "pairsmove");
      const [{ env }] = fleet.machines as [Box];
      const { REKEY_STORE: _, ...settings } = env;
      Object.assign(box.env, settings);
      await must(box, "init", "--alg", "ES384", "--store", "keyring");
      const value = await box.lookup();
      assert.ok(value !== undefined);
      const token = await box.token();
      await must(box, "store", "move", "etcd");
      assert.deepEqual(await box.accounts(), []);
      assert.equal((await box.json("verify", token)).valid, true);
      assertNowhere(box, spellings(value), await etcd.ctl("get", "--prefix", "/pairsmove/"));
      await must(box, "store", "move", "keyring");
      assert.equal(await box.lookup(), value);
      assert.equal((await box.json("verify", token)).valid, true);
    },
  );
});
