import assert from "node:assert/strict";
import { FleetFollower, type FollowerOptions } from "../../src/cluster/follower.ts";
import { aheadOf, SharedFreshness } from "../../src/cluster/freshness.ts";
import { pause } from "../support/timing/pause.ts";

function followerOf(installation: FollowerOptions["installation"]) {
  return new FleetFollower({
    installation,
    freshness: new SharedFreshness(60_000),
    onTrouble: () => {},
    onBug: () => {},
    version: "test",
  });
}

Deno.test("the first look after a quiet while is at once, and those that follow have a pause between them", async () => {
  let looks = 0;
  const follower = followerOf(() => {
    looks++;
    return Promise.resolve(undefined);
  });
  const first = follower.lookNow();
  assert.equal(await Promise.race([first.then(() => "looked"), pause(0)]), "looked");
  const began = performance.now();
  while (looks < 6) await follower.lookNow();
  const took = performance.now() - began;
  assert.ok(looks <= 2 + took / 75, `${looks} looks in ${took} ms`);
  // However many ask meanwhile, one look answers them all.
  looks = 0;
  await Promise.all(Array.from({ length: 100 }, () => follower.lookNow()));
  assert.equal(looks, 1);
  await follower.stop();
});

Deno.test("a follower that has hit a bug still stops", async () => {
  const follower = followerOf(() => Promise.reject(new TypeError("a bug")));
  await assert.rejects(follower.start(), TypeError);
  await follower.stop();
});

Deno.test("another thread's clock is not taken to be ahead by as long as its answer has waited", async () => {
  let asked = 0;
  const ahead = await aheadOf(async () => {
    await pause(asked++ === 0 ? 200 : 0);
    return performance.now() + 1_000;
  });
  assert.ok(ahead >= 1_000 && ahead < 1_150, `${ahead}`);
});
