import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { examined } from "../support/commands/doctor.ts";
import { Box, REKEY } from "../support/process/box.ts";
import {
  assertPlainRefusal,
  assertWhole,
  CAN_MOUNT,
  fillDisk,
  initWhileRoomGrows,
  installed,
  inUse,
  machineOf,
  Mount,
  ROTATE,
  runAfter,
  unless,
} from "../support/faults/faults.ts";
import { sample, THOROUGH } from "../support/process/sample.ts";

const STEP_KIB = THOROUGH ? 4 : 48;

Deno.test({
  name: "a rotation on a full disk, however much room is left, happens wholly or not at all",
  ignore: unless(CAN_MOUNT, "root that may mount"),
  async fn() {
    const { box, machine } = await inUse();
    using _box = box;
    const folder = dirname(box.database);
    using _disk = Mount.smallDisk(folder, 2_048);
    let [before, refused, done] = [machine, 0, 0];
    // From no room at all to enough of it, so that each step of a rotation meets the end: `deno task thorough` goes on
    // by a page at a time.
    for (let kib = 0; done < 2; kib += kib < 32 ? 16 : STEP_KIB) {
      assert.ok(kib < 512, "a rotation needs no such room");
      const filled = fillDisk(folder, kib);
      const ended = await box.run(ROTATE);
      filled[Symbol.dispose]();
      if (ended.code === 0) done++;
      else {
        refused++;
        assertPlainRefusal(ended);
        assert.match(ended.stderr, /full/);
      }
      await assertWhole(box, before, ended.code === 0);
      before = await machineOf(box);
    }
    assert.ok(refused >= 5, `refused ${refused} times`);
  },
});

Deno.test({
  name: "rotations that are killed on a full disk leave nothing wrong once there is room",
  ignore: unless(CAN_MOUNT, "root that may mount"),
  async fn() {
    const { box } = await inUse();
    using _box = box;
    const folder = dirname(box.database);
    // On a disk that little is left of in any case, doctor rightly says `disk_full`.
    using _disk = Mount.smallDisk(folder, 8_192);
    for (const kib of [0, 32, 96, 160, 224, 288, 512]) {
      const filled = fillDisk(folder, kib);
      const seconds = (0.1 + kib / 1_000).toFixed(3);
      await box.exec("/usr/bin/timeout", ["--signal=KILL", seconds, REKEY, ...ROTATE]);
      filled[Symbol.dispose]();
    }
    const { findings } = await examined(box);
    assert.deepEqual(findings.filter(({ level }) => level === "wrong"), []);
    await assertWhole(box, await machineOf(box), false);
    const isPart = ({ name }: Deno.DirEntry) => name.startsWith(".");
    assert.deepEqual([...Deno.readDirSync(folder)].filter(isPart), []);
  },
});

Deno.test({
  name: "issue and verify on a full disk: a plain refusal, or a right answer",
  ignore: unless(CAN_MOUNT, "root that may mount"),
  async fn() {
    const { box, machine } = await inUse();
    using _box = box;
    const folder = dirname(box.database);
    using _disk = Mount.smallDisk(folder, 1_024);
    const filled = fillDisk(folder, 0);
    for (const args of [["issue", "--sub", "a"], ["verify", machine.token], ["status"], ["init"]]) {
      assertPlainRefusal(await box.run(args), { command: args[0] });
    }
    filled[Symbol.dispose]();
    // Room to read, none to write.
    const tight = fillDisk(folder, 32);
    assert.equal((await box.run(["verify", machine.token])).code, 0);
    assertPlainRefusal(await box.run(["issue", "--sub", "a"]));
    tight[Symbol.dispose]();
    await assertWhole(box, machine, false);
  },
});

Deno.test({
  name: "init on a full home leaves no torn file, and works when there is room",
  ignore: unless(CAN_MOUNT, "root that may mount"),
  async fn() {
    using box = new Box();
    await initWhileRoomGrows(
      box,
      sample([0, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512], 2),
    );
  },
});

for (const what of ["folder", "file"] as const) {
  Deno.test({
    name: `a ${what} of the database that is read-only: refused, and nothing changes`,
    ignore: unless(CAN_MOUNT, "root that may mount"),
    async fn() {
      const { box, machine } = await inUse();
      using _box = box;
      const bytes = Deno.readFileSync(box.database);
      {
        using _mounted = Mount.readOnly(what === "file" ? box.database : dirname(box.database));
        for (const args of [ROTATE, ["issue", "--sub", "a"]]) {
          assertPlainRefusal(await box.run(args));
        }
        const verified = await box.run(["verify", machine.token]);
        // A file in a folder that can be written can at least be read.
        if (what === "folder") assertPlainRefusal(verified);
        else assert.equal(verified.code, 0, verified.stderr);
      }
      assert.deepEqual(Deno.readFileSync(box.database), bytes);
      await assertWhole(box, machine, false);
    },
  });
}

Deno.test("init where nothing can be written: refused, and works elsewhere", {
  ignore: unless(CAN_MOUNT, "root that may mount"),
}, async () => {
  using box = new Box();
  {
    using _mounted = Mount.readOnly(box.home);
    assertPlainRefusal(await box.run(["init"]));
  }
  assert.equal((await box.json("init")).version, 1);
});

/** Limits in blocks of 512 bytes, from nothing at all to more than is needed. */
const LIMITS = [0, 1, 8, 16, 64, 100, 128, 136, 144, 160];

for (const [how, shell] of [["kills", ""], ["is ignored", "trap '' XFSZ; "]] as const) {
  Deno.test(`a limit on the size of files, whose signal ${how}`, async () => {
    const { box, machine } = await inUse();
    using _box = box;
    let [before, refused] = [machine, 0];
    for (const blocks of sample(LIMITS, 2, shell === "" ? 0 : 1)) {
      const ended = await runAfter(box, `${shell}ulimit -f ${blocks}`, ROTATE);
      if (ended.code !== 0) {
        refused++;
        assertPlainRefusal(ended);
      }
      await assertWhole(box, before, ended.code === 0);
      before = await machineOf(box);
    }
    assert.ok(refused >= 2, `refused ${refused} times`);
    using fresh = new Box();
    const nothing = `${shell}ulimit -f 0`;
    assertPlainRefusal(await runAfter(box, nothing, ["issue", "--sub", "a"]));
    assertPlainRefusal(await runAfter(fresh, nothing, ["init"]));
    await assertWhole(box, before, false);
  });
}

for (const what of ["folder", "file"] as const) {
  Deno.test({
    name: `a ${what} of the database that belongs to another user is refused`,
    ignore: unless(Deno.uid() === 0, "root"),
    async fn() {
      const { box, machine } = await inUse();
      using _box = box;
      const path = what === "file" ? box.database : dirname(box.database);
      Deno.chownSync(path, 54321, 54321);
      for (const args of [ROTATE, ["issue", "--sub", "a"], ["init"], ["verify", machine.token]]) {
        const ended = await box.run(args);
        assertPlainRefusal(ended);
        assert.match(ended.stderr, /belongs to another user/);
      }
      Deno.chownSync(path, Deno.uid()!, Deno.gid()!);
      await assertWhole(box, machine, false);
    },
  });
}

Deno.test("a file that others can write is corrected before it is used", async () => {
  const { box, machine } = await inUse();
  using _box = box;
  Deno.chmodSync(box.database, 0o666);
  assert.equal((await box.run(ROTATE)).code, 0);
  assert.equal(Deno.statSync(box.database).mode! & 0o777, 0o600);
  await assertWhole(box, machine, true);
});

Deno.test("a named folder that others can write is refused until it is corrected", async () => {
  using box = new Box();
  const path = join(box.home, "named");
  box.env.REKEY_DATA_DIR = path;
  await box.run(["init"]);
  const { version, token } = await machineOf(box);
  Deno.chmodSync(path, 0o777);
  for (const args of [ROTATE, ["issue", "--sub", "a"], ["init"], ["verify", token]]) {
    assertPlainRefusal(await box.run(args));
  }
  assert.equal(Deno.statSync(path).mode! & 0o777, 0o777, "it is the operator's");
  Deno.chmodSync(path, 0o700);
  assert.equal((await box.json("status")).version, version);
  assert.equal((await box.json("verify", token)).valid, true);
  assert.equal((await box.run(["audit", "verify"])).code, 0);
  assert.ok(!existsSync(box.database), "nothing was made elsewhere");
});

Deno.test({
  name: "a clock that was set back a day, and right again",
  ignore: unless(installed("faketime"), "faketime"),
  async fn() {
    const { box, machine } = await inUse();
    using _box = box;
    const yesterday = (...args: string[]) => box.exec("/usr/bin/faketime", ["-f", "-1d", ...args]);
    const rekey = (...args: string[]) => yesterday(REKEY, ...args);
    const { stdout: day } = await yesterday("date", "+%s");
    assert.ok(Date.now() / 1_000 - Number(day) > 86_000, "the clock must be set back");

    assert.equal((await rekey("verify", machine.token)).code, 0);
    const status = JSON.parse((await rekey("status", "--json")).stdout);
    assert.deepEqual([status.version, status.age_seconds], [machine.version, 0]);
    const rotated = await rekey("rotate", "--force", "--grace", "15m");
    assert.equal(rotated.code, 0, rotated.stderr);
    const issued = await rekey("issue", "--quiet", "--sub", "a");
    assert.equal((await rekey("verify", issued.stdout.trim())).code, 0);
    assert.equal((await rekey("verify", machine.token)).code, 0, "inside its grace window");

    // Right again: what was short yesterday is long over.
    assert.equal((await box.json("verify", issued.stdout.trim())).code, "expired");
    await assertWhole(box, machine, true);
  },
});
