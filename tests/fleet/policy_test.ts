import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { decodeProtectedHeader } from "jose";
import type { Box } from "../support/process/box.ts";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { ForeignKeys, jwkOf, signedBy } from "../support/commands/foreign_keys.ts";
import { now, signWith } from "../support/attacks/foreign_tokens.ts";
import { until } from "../support/timing/pause.ts";
import { Serving } from "../support/http/serving.ts";

Deno.test("machines that share a secret share its policy and each version's algorithm", async (t) => {
  await using etcd = await Etcd.start(1);

  await t.step(
    "a policy that is set on one machine counts on all, for running servers too",
    async () => {
      using fleet = await Fleet.start(etcd, 2, "policy");
      const [one, other] = fleet.machines as [Box, Box];
      await using serving = await Serving.start(other, ["--workers", "1"]);
      const token = await one.token();
      assert.equal(await serving.auth(token), 204);
      await must(one, "policy", "set", "--iss", "X");
      assert.equal((await must(other, "policy", "show")).iss[0], "X");
      const refuses = async () => await serving.auth(token) === 401;
      await until(refuses, { otherwise: "the server has not heard of it" });
      const fresh = await one.token();
      assert.equal((await must(other, "verify", fresh)).valid, true);
      await must(other, "policy", "clear");
      assert.equal((await must(one, "policy", "show")).iss, null);
      assert.equal((await must(one, "verify", token)).valid, true);
      await must(one, "rotate", "--force");
      await must(other, "policy", "set", "--leeway", "3s");
      assert.equal((await must(one, "policy", "show")).leeway_seconds, 3);
    },
  );

  await t.step(
    "the policy of the first machine's init counts from the start, and for who joins",
    async () => {
      using fleet = new Fleet(etcd, 2, "first-policy");
      const [one, other] = fleet.machines as [Box, Box];
      const age = ["--jwks-max-age", "1s"];
      await must(one, "init", ...age);
      await must(other, "init");
      for (const box of [one, other]) {
        const { jwks_max_age_seconds } = await must(box, "policy", "show");
        assert.equal(jwks_max_age_seconds, 1);
      }
      const prepared = await must(other, "rotate", "--prepare", "--alg", "ES256");
      const wait = Date.parse(prepared.activatable_at) - Date.parse(prepared.published_at);
      assert.equal(wait, 1_000);
      const log = (await one.run(["audit", "list"])).stdout.split("\n");
      assert.equal(log.filter((row) => row.includes("public keys kept 1 second")).length, 1);
    },
  );

  await t.step("an imported key pair and the kid of its tokens are shared", async () => {
    using keys = new ForeignKeys();
    const jwk = JSON.stringify({ ...jwkOf(await keys.make("ES256")), kid: "2023-key" });
    const old = signedBy(keys.read("ES256.pem"), "ES256", { kid: "2023-key" });
    using fleet = new Fleet(etcd, 2, "imported-key");
    const [one, other] = fleet.machines as [Box, Box];
    Deno.writeTextFileSync(`${one.home}/key.jwk`, jwk);
    await must(one, "import", "--file", `${one.home}/key.jwk`, "--check-token", old);
    await must(other, "init");
    for (const box of [one, other]) {
      assert.equal((await must(box, "verify", old)).version, 1);
      const token = await box.token();
      assert.equal(decodeProtectedHeader(token).kid, "2023-key");
      assert.equal((await must(one, "verify", token)).version, 1);
    }
    await must(other, "rotate", "--force", "--grace", "1h");
    for (const box of [one, other]) assert.equal((await must(box, "verify", old)).version, 1);
    await must(one, "revoke");
    assert.equal((await other.json("verify", old)).code, "retired_kid");
  });

  await t.step(
    "an imported secret and its algorithm move in, and another algorithm follows",
    async () => {
      using fleet = new Fleet(etcd, 2, "imported");
      const [one, other] = fleet.machines as [Box, Box];
      const key = randomBytes(48).toString("base64");
      const done = await one.run(["import", "--alg", "HS256", "--leeway", "9s"], { stdin: key });
      assert.equal(done.code, 0, done.stderr);
      await must(other, "init");
      assert.equal((await must(other, "policy", "show")).leeway_seconds, 9);
      const exp = now() + 600;
      const old = signWith(key, { alg: "HS256", kid: "own" }, { sub: 42, exp });
      assert.equal((await must(other, "verify", old)).version, 1);
      await must(other, "rotate", "--force", "--grace", "1h", "--alg", "HS512");
      for (const box of [one, other]) {
        assert.equal((await must(box, "verify", old)).version, 1);
        assert.equal((await must(box, "verify", await one.token())).version, 2);
        const { alg, grace } = await must(box, "status");
        assert.deepEqual([alg, grace[0].alg], ["HS512", "HS256"]);
      }
      await must(one, "rotate", "--prepare", "--alg", "HS384", "--key-form", "raw");
      await must(one, "rotate", "--activate", "--grace", "1h");
      const last = await must(other, "status");
      assert.deepEqual([last.alg, last.key_form, last.version], ["HS384", "raw", 3]);
      assert.equal((await must(other, "verify", await one.token())).version, 3);
      assert.equal((await must(other, "verify", old)).version, 1);
    },
  );
});
