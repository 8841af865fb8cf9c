import assert from "node:assert/strict";
import { unless } from "../support/faults/faults.ts";
import { Etcd, type EtcdMember, Fleet, must } from "../support/cluster/etcd.ts";
import type { Box } from "../support/process/box.ts";
import { examined } from "../support/commands/doctor.ts";
import { fullDisk, SMALL_DISK, tidy } from "../support/cluster/fleet_faults.ts";
import { pause, until } from "../support/timing/pause.ts";

/** What the machines know once everything is well again: the same, and tokens of each count on all. */
async function agree(machines: readonly Box[]): Promise<{ version: number; kid: string }> {
  const found = await Promise.all(machines.map((box) => must(box, "status")));
  const [{ version, kid }] = found;
  for (const other of found) assert.deepEqual([other.version, other.kid], [version, kid]);
  for (const box of machines) {
    const token = await box.token();
    for (const other of machines) assert.equal((await other.run(["verify", token])).code, 0);
  }
  return { version, kid };
}

/** Rotates on one machine after the other until it is stopped; answers how they ended. */
class Rotations {
  readonly made: { version: number; kid: string }[] = [];
  readonly refused: { code: number; error: string }[] = [];
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(private readonly machines: readonly Box[]) {
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    for (let n = 0; !this.#stopped; n++) {
      const box = this.machines[n % this.machines.length]!;
      const { code, stdout, stderr } = await box.run(["rotate", "--force", "--json"]);
      if (code === 0) this.made.push(JSON.parse(stdout));
      else {
        const error = stderr.trim().split("\n").map((line) => JSON.parse(line).error?.code)
          .find(Boolean);
        this.refused.push({ code, error });
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}

Deno.test("an etcd of three members that fail while secrets are rotated", async (t) => {
  await using etcd = await Etcd.start(3, ["--quota-backend-bytes", "4194304"]);
  let fleets = 0;
  const during = async (work: () => Promise<void>, refusals: boolean) => {
    using fleet = await Fleet.start(etcd, 3, `faults${fleets++}`);
    const term = await etcd.term();
    const rotations = new Rotations(fleet.machines);
    try {
      await until(() => rotations.made.length > 0);
      await work();
      await pause(500);
    } finally {
      await rotations.stop();
    }
    // A leader that stood still for a second is replaced, whoever fails beside it.
    const isElected = await etcd.term() !== term;
    const { version, kid } = await agree(fleet.machines);
    // The last one that was answered is the current one, unless a refused one came after it and was made.
    const last = rotations.made.at(-1)!;
    assert.ok(version >= last.version && (version > last.version || kid === last.kid));
    const numbers = rotations.made.map((one) => one.version);
    assert.equal(new Set(numbers).size, numbers.length, "no number was given twice");
    for (const { code, error } of rotations.refused) {
      assert.ok(refusals || isElected, `refused: ${error}`);
      assert.equal(`${code} ${error}`, "4 etcd_unavailable");
    }
  };

  const back = async (member: EtcdMember) => {
    etcd.restart(member);
    await etcd.healthy();
  };

  await t.step("killing a follower changes nothing for clients", async () => {
    const leader = await etcd.leader();
    const follower = etcd.members.find((member) => member !== leader)!;
    await during(async () => {
      await etcd.kill(follower);
      await pause(1_500);
      await back(follower);
    }, false);
  });

  await t.step("the leader is killed: rotations wait for the next one", async () => {
    const leader = await etcd.leader();
    await during(async () => {
      await etcd.kill(leader);
      await pause(3_000);
      await back(leader);
    }, true);
  });

  await t.step("when a member is silent the others are asked", async () => {
    const leader = await etcd.leader();
    const follower = etcd.members.find((member) => member !== leader)!;
    await during(async () => {
      follower.process.kill("SIGSTOP");
      await pause(4_000);
      follower.process.kill("SIGCONT");
    }, true);
  });

  await t.step("most members are lost: refused, and nothing is lost", async () => {
    const [one, two] = etcd.members as [EtcdMember, EtcdMember];
    await during(async () => {
      await Promise.all([etcd.kill(one), etcd.kill(two)]);
      await pause(6_000);
      await back(one);
      await back(two);
    }, true);
  });

  await t.step("it is compacted and defragmented", async () => {
    await during(async () => {
      for (let n = 0; n < 3; n++) {
        await tidy(etcd);
      }
    }, true);
  });

  await t.step("its space is used up: refused, and nothing is lost", async () => {
    using fleet = await Fleet.start(etcd, 2, "full");
    const [one, two] = fleet.machines as [Box, Box];
    const before = await must(one, "rotate", "--force");
    const filler = "x".repeat(100_000);
    for (let n = 0; n < 100; n++) {
      if (await etcd.ctl("put", `filler${n}`, filler).then(() => false, () => true)) break;
    }
    const refused = await one.run(["rotate", "--force", "--json"]);
    assert.equal(refused.code, 4);
    assert.match(refused.stderr, /etcd_failed.*space/s);
    const { findings } = await examined(one);
    assert.ok(findings.some(({ code }) => code === "etcd_alarm"));
    // What is there can be read.
    assert.equal((await must(two, "status")).kid, before.kid);
    await etcd.ctl("del", "--prefix", "filler");
    await tidy(etcd);
    await etcd.ctl("alarm", "disarm");
    assert.equal((await must(one, "rotate", "--force")).version, before.version + 1);
    await agree(fleet.machines);
  });
});

Deno.test("the only member is waited for, which is slow to answer", async () => {
  await using etcd = await Etcd.start(1);
  using fleet = await Fleet.start(etcd, 1, "slow");
  const [box] = fleet.machines as [Box];
  const { version } = await must(box, "status");
  etcd.signal("SIGSTOP");
  const rotated = box.run(["rotate", "--force", "--json"]);
  await pause(2_500);
  etcd.signal("SIGCONT");
  const { code, stdout, stderr } = await rotated;
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).version, version + 1);
});

Deno.test({
  name: "the disk of one member is full: the others go on",
  ignore: unless(Deno.uid() === 0, "root"),
  async fn() {
    await using etcd = await Etcd.start(3, [], { smallDisk: SMALL_DISK });
    using fleet = await Fleet.start(etcd, 3, "disk");
    const rotations = new Rotations(fleet.machines);
    try {
      await fullDisk(etcd, async () => {
        const enough = rotations.made.length + 5;
        await until(() => rotations.made.length > enough);
      });
    } finally {
      await rotations.stop();
    }
    for (const { code, error } of rotations.refused) {
      assert.equal(`${code} ${error}`, "4 etcd_unavailable");
    }
    const { version } = await agree(fleet.machines);
    assert.ok(version >= rotations.made.at(-1)!.version);
  },
});
