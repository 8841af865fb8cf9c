import assert from "node:assert/strict";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { type Box, REKEY } from "../support/process/box.ts";
import { start } from "../../scripts/program.ts";

// More of the same by hand: REKEY_FLEET_ROTATIONS=50.
const MACHINES = 8;
const ROTATIONS = Number(Deno.env.get("REKEY_FLEET_ROTATIONS") ?? 3);

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

Deno.test("machines whose rekey is killed at any moment: no secret is lost, and all machines agree", async () => {
  await using etcd = await Etcd.start(1);
  using fleet = await Fleet.start(etcd, 3, "kills");
  const args = [
    ["rotate", "--force"],
    ["rotate", "--force", "--grace", "1h"],
    ["rotate", "--prepare"],
    ["rotate", "--activate", "--force"],
    ["store", "move", "database"],
    ["revoke"],
  ];
  let [killed, highest] = [0, 1];
  for (let n = 0; n < 12 * ROTATIONS; n++) {
    const box = fleet.machines[n % 3]!;
    const command = args[n % args.length]!;
    const child = start(REKEY, [...command, "--json"], {
      clearEnv: true,
      env: { PATH: "/usr/bin:/bin", HOME: box.home, ...box.env },
    });
    let ended = false;
    child.status.then(() => ended = true);
    const timer = setTimeout(() => {
      if (ended) return;
      try {
        child.kill("SIGKILL");
        killed++;
      } catch {
        // It has ended, and its status is on the way.
      }
    }, 25 + (n * 37) % 90);
    await child.status;
    clearTimeout(timer);
    // A machine that has left, whole, comes back with what it knows.
    if ((await must(box, "status")).location === "database") {
      await must(box, "store", "move", "etcd");
    }
    const found = await Promise.all(fleet.machines.map((one) => must(one, "status")));
    assert.equal(new Set(found.map(({ kid }) => kid)).size, 1, `after ${command.join(" ")}`);
    assert.ok(found[0].version >= highest);
    highest = found[0].version;
    const token = await fleet.machines[(n + 1) % 3]!.token();
    assert.equal((await box.run(["verify", token])).code, 0);
  }
  assert.ok(killed > 0, "some were killed");
  for (const box of fleet.machines) assert.equal((await box.run(["audit", "verify"])).code, 0);
});
