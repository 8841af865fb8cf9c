import assert from "node:assert/strict";
import { unless } from "../support/faults/faults.ts";
import { delivering, succeeds, tokenFor } from "../support/consumers/delivering.ts";
import { cutsHard, refusesAtOnce } from "../support/consumers/following.ts";
import { InfluxDb } from "../support/consumers/influxdb.ts";
import { refusesForgeries } from "../support/consumers/forgeries.ts";
import { AS_DAEMONS, RUNS_DAEMONS } from "../support/consumers/system_daemon.ts";

const ignore = unless(RUNS_DAEMONS, AS_DAEMONS);

Deno.test({ name: "InfluxDB follows rotations", ignore }, async (t) => {
  await using influx = await InfluxDb.prepare();
  using box = await delivering(influx, "--alg", "HS256");
  await t.step("it refuses what is forged or over", () => refusesForgeries(box, influx));
  await t.step("a rotation is a hard cut, also with a grace period", () => cutsHard(box, influx));
  await t.step("it knows every algorithm", async () => {
    for (const alg of ["HS384", "HS512"]) {
      await succeeds(box, "rotate", "--force", "--alg", alg);
      assert.equal(await influx.answer(await tokenFor(box, influx)), "accepted");
    }
  });
  await t.step(
    "an old token is refused at once",
    () => refusesAtOnce(box, influx, (token) => influx.answer(token)),
  );
  await t.step("its own tool prints the key", async () => {
    assert.ok((await influx.prints()).includes(influx.key()));
  });
});
