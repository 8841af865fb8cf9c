import assert from "node:assert/strict";
import { Etcd, Fleet, must } from "../support/etcd.ts";
import type { Box } from "../support/box.ts";

// More of the same by hand: REKEY_FLEET_ROTATIONS=50.
const MACHINES = 8;
const ROTATIONS = Number(Deno.env.get("REKEY_FLEET_ROTATIONS") ?? 5);

Deno.test("machines that rotate at the same time: each version has one winner, losers try again or are told", async () => {
  await using etcd = await Etcd.start(3);
  using fleet = await Fleet.start(etcd, MACHINES, "contention");
  const made: { version: number; kid: string }[] = [];
  let told = 0;
  const rotate = async (box: Box) => {
    for (let n = 0; n < ROTATIONS; n++) {
      const { code, stdout, stderr } = await box.run(["rotate", "--force", "--json"]);
      assert.ok(code === 0 || code === 6, `${code}: ${stderr}`);
      if (code === 6) told++;
      else made.push(JSON.parse(stdout));
    }
  };
  await Promise.all(fleet.machines.map(rotate));
  const numbers = made.map(({ version }) => version).sort((a, b) => a - b);
  assert.deepEqual(numbers, numbers.map((_, n) => n + 2), "every number once, none left out");
  assert.equal(numbers.length + told, MACHINES * ROTATIONS);
  const last = made.find(({ version }) => version === numbers.at(-1))!;
  for (const box of fleet.machines) {
    const { version, kid } = await must(box, "status");
    assert.deepEqual({ version, kid }, { version: last.version, kid: last.kid });
    assert.equal((await box.run(["audit", "verify"])).code, 0);
  }
  const token = await fleet.machines[0]!.token();
  for (const box of fleet.machines) assert.equal((await box.run(["verify", token])).code, 0);
  // One value is left of all that there were.
  const keys = await etcd.ctl("get", "--prefix", "/contention/agiworkforce/values/", "--keys-only");
  assert.equal(keys.trim(), `/contention/agiworkforce/values/${last.kid}`);
});
