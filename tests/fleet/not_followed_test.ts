import assert from "node:assert/strict";
import type { Box } from "../support/process/box.ts";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { between } from "../support/cluster/etcd_between.ts";
import { connect } from "../support/store/sql.ts";

Deno.test("a rotation that its own machine cannot take over is made, and does not exit 0", async () => {
  await using etcd = await Etcd.start(1);
  using fleet = await Fleet.start(etcd, 2, "unfollowed");
  const [one, two] = fleet.machines as [Box, Box];
  // Another program writes to the database from the rotation on.
  const other = connect(one);
  const tap = between(etcd, async (body, pass) => {
    const answer = await pass();
    if (body.includes('"compare":[{')) other.exec("BEGIN IMMEDIATE");
    return answer;
  });
  const rotated = await one.run(["rotate", "--force", "--json"], {
    env: { REKEY_ETCD_ENDPOINTS: tap.url },
  });
  assert.equal(rotated.code, 5, rotated.stderr);
  assert.equal(JSON.parse(rotated.stdout).version, 2);
  assert.match(rotated.stderr, /could not take it over/);
  other.exec("ROLLBACK");
  other.close();
  assert.equal((await must(two, "status")).version, 2);
  assert.equal((await must(one, "status")).version, 2);
  await tap.stop();
});
