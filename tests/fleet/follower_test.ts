import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Box } from "../support/process/box.ts";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { between } from "../support/cluster/etcd_between.ts";
import { pause, until } from "../support/timing/pause.ts";
import { Serving } from "../support/http/serving.ts";

Deno.test("how a server keeps up with its fleet", async (t) => {
  await using etcd = await Etcd.start(1);

  await t.step("a server whose machine leaves the fleet is not waited for", async () => {
    using fleet = await Fleet.start(etcd, 3, "leaving");
    const [one, two, three] = fleet.machines as [Box, Box, Box];
    await using left = await Serving.start(two, ["--workers", "1"]);
    await using destroyed = await Serving.start(three, ["--workers", "1"]);
    const own = await two.token();
    await must(two, "store", "move", "database");
    await must(three, "destroy", "--force");
    const { unconfirmed } = await must(one, "rotate", "--force", "--wait", "30s");
    assert.deepEqual(unconfirmed, []);
    // It goes on by itself.
    assert.equal(await left.auth(own), 204);
    assert.notEqual(await destroyed.auth(own), 204);
    const state = (await must(one, "status")).fleet;
    assert.deepEqual(state.servers, []);
  });

  await t.step(
    "one whose machine comes back is on the list before it accepts anything",
    async () => {
      using fleet = await Fleet.start(etcd, 1, "back");
      const [box] = fleet.machines as [Box];
      await using server = await Serving.start(box, ["--workers", "1", "--max-staleness", "5s"]);
      const token = await box.token();
      const servers = async () => (await must(box, "status")).fleet?.servers ?? [];
      await must(box, "store", "move", "database");
      await until(async () =>
        await etcd.ctl("get", "--prefix", "/back/agiworkforce/members/") === ""
      );
      await must(box, "store", "move", "etcd");
      await until(async () => await server.auth(token) === 204);
      assert.equal((await servers()).length, 1);
    },
  );

  await t.step("a watch that is slower than a look is listened to further", async () => {
    using fleet = await Fleet.start(etcd, 2, "slow");
    const [box, other] = fleet.machines as [Box, Box];
    let watches = 0;
    const tap = between(etcd, async (body, pass) => {
      const answer = await pass();
      if (!body.includes("create_request")) return answer;
      watches++;
      return new Response(answer.body!.pipeThrough(late(500)));
    });
    const env = { REKEY_ETCD_ENDPOINTS: tap.url };
    await using server = await Serving.start(box, ["--workers", "1", "--max-staleness", "2s"], {
      env,
    });
    // It asks of itself every 400 ms, and so before it is told.
    await pause(900);
    for (let n = 0; n < 4; n++, await pause(900)) await must(other, "rotate", "--force");
    // A server that etcd has not answered in time, on a machine that stood still, begins again.
    if (!server.stderr.includes("cannot be followed")) assert.equal(watches, 1, server.stderr);
    await server.stop();
    await tap.stop();
  });

  await t.step("a watch that tells nothing is replaced by one that does", async () => {
    using fleet = await Fleet.start(etcd, 2, "deaf");
    const [box, other] = fleet.machines as [Box, Box];
    let watches = 0;
    const tap = between(etcd, async (body, pass) => {
      if (!body.includes("create_request") || watches++ > 0) return await pass();
      return new Response(new ReadableStream());
    });
    const env = { REKEY_ETCD_ENDPOINTS: tap.url };
    await using server = await Serving.start(box, ["--workers", "1", "--max-staleness", "5s"], {
      env,
    });
    // Else its first look may find the rotation, on a machine that stands still: then there is nothing to be told.
    const first = await other.token();
    await until(async () => await server.auth(first) === 204);
    await must(other, "rotate", "--force");
    // Looks are a second apart; the third one finds that it was not told.
    await until(() => watches >= 2);
    await pause(200);
    const old = await other.token();
    await must(other, "rotate", "--force");
    await until(async () => await server.auth(old) === 401);
    await server.stop();
    await tap.stop();
  });

  await t.step("whoever knows the next kid cannot make a server ask again and again", async () => {
    using fleet = await Fleet.start(etcd, 1, "crowd");
    const [box] = fleet.machines as [Box];
    let looks = 0;
    const tap = between(etcd, (body, pass) => {
      if (body.includes("min_mod_revision")) looks++;
      return pass();
    });
    const { kid } = await must(box, "rotate", "--prepare");
    const env = { REKEY_ETCD_ENDPOINTS: tap.url };
    await using server = await Serving.start(box, ["--workers", "1"], { env });
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = { sub: "mallory", exp: Math.floor(Date.now() / 1000) + 60 };
    const token = `${part({ alg: "HS512", kid })}.${part(claims)}.${"A".repeat(86)}`;
    await pause(300);
    const [before, began] = [looks, performance.now()];
    assert.equal(await server.auth(token), 401);
    for (let n = 0; n < 30; n++) assert.equal(await server.auth(token), 401);
    const seconds = (performance.now() - began) / 1000;
    assert.ok(looks > before, "it has asked");
    assert.ok(looks - before <= 3 + seconds / 0.075, `${looks - before} in ${seconds} s`);
    await server.stop();
    await tap.stop();
  });
});

Deno.test("a server whose member of etcd is lost listens to another one at once", async () => {
  await using etcd = await Etcd.start(3);
  using fleet = await Fleet.start(etcd, 2, "lost");
  const [one, two] = fleet.machines as [Box, Box];
  // None that leads: an election takes a while by itself.
  const leader = await etcd.leader();
  const [member, other] = etcd.members.filter((one) => one !== leader);
  const env = { REKEY_ETCD_ENDPOINTS: [member!, other!, leader].map(({ url }) => url).join() };
  // It asks of itself every twelve seconds.
  await using server = await Serving.start(two, ["--workers", "1", "--max-staleness", "60s"], {
    env,
  });
  await pause(1_500);
  await etcd.kill(member!);
  await pause(500);
  const { unconfirmed } = await must(one, "rotate", "--force", "--wait", "30s");
  assert.deepEqual(unconfirmed, []);
  await server.stop();
});

/** Lets everything through after a while. */
function late(milliseconds: number): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    async transform(part, to) {
      await pause(milliseconds);
      to.enqueue(part);
    },
  });
}
