import assert from "node:assert/strict";
import { unless } from "../support/faults/faults.ts";
import { drill } from "../support/cluster/fleet_drill.ts";
import { sample } from "../support/process/sample.ts";
import { FAULTS } from "../support/cluster/fleet_faults.ts";

// More of the same by hand: deno task fleet-drill 500.
Deno.test({
  name:
    "machines that serve and rotate while each thing fails once: none lost, none stale, none differs",
  ignore: unless(Deno.uid() === 0, "root"),
  async fn() {
    const faults = sample(FAULTS, 2);
    const reports = await drill(1, faults);
    assert.equal(reports.length, faults.length);
    for (const { fault, made, refused } of reports) assert.ok(made + refused > 0, fault);
  },
});
