import assert from "node:assert/strict";
import type { WindowsBox } from "../support/windows/box.ts";
import { Running } from "../support/process/running.ts";
import { onWindows, WITHOUT_CONSOLE } from "../support/windows/tests.ts";
import { query } from "../support/store/sql.ts";

/** A script that says which version it has, and starts another program, whose end it waits for. */
const WAITING = "echo ready %REKEY_KID%& ping -n 120 127.0.0.1 >nul";
const LINE = `${WAITING} & exit 5`;

function start(box: WindowsBox, rekey: readonly string[], ...flags: string[]): Promise<Running> {
  return Running.start(box, ["cmd", "/d", "/c", LINE], { rekey, flags });
}

onWindows("exec: a restart ends the program's whole tree; none outlives rekey", async (box) => {
  await box.json("init");
  await using running = await start(box, box.rekey, "--on-rotate", "restart");
  await box.untilRunning("ping.exe", 1);
  const { kid } = await box.json("rotate", "--force");
  await running.until(() => running.stdout.includes(`ready ${kid}`));
  await box.untilRunning("ping.exe", 1);
  assert.equal(await box.running("cmd.exe"), 1);
  assert.deepEqual((await box.json("status")).stale_processes, []);
  running.process.kill("SIGKILL");
  await running.ended();
  for (const name of ["ping.exe", "cmd.exe", "rekey.exe"]) await box.untilRunning(name, 0);
});

onWindows(
  "exec: a program with an old secret is named until it ends, with its status",
  async (box) => {
    const before = Date.now();
    await box.json("init");
    await using running = await start(box, box.rekey);
    const [pid] = await box.ids("cmd.exe");
    // Before it has started rekey itself is recorded for it, and it is a little later.
    await running.until(() => holders(box).map((row) => row.pid).join() === String(pid));
    const startedMs = Number(holders(box)[0]!.started) / 1_000;
    assert.ok(before < startedMs && startedMs < Date.now(), `${startedMs}: by GetProcessTimes`);
    const { stale_processes: [named] } = await box.json("rotate", "--force");
    assert.deepEqual([named.pid, named.program, named.state], [pid, "cmd", "ended"]);
    await box.untilRunning("ping.exe", 1);
    await box.exec("taskkill", ["/f", "/im", "ping.exe"]);
    assert.equal((await running.ended()).code, 5, running.stderr);
    assert.deepEqual((await box.json("status")).stale_processes, []);
    assert.deepEqual(holders(box), []);
  },
  ["database"],
);

function holders(box: WindowsBox) {
  return query(box, "SELECT pid, started FROM rekey_exec");
}

// What a program ends with that Ctrl-C has ended is 0xC000013A, of which this system sees the last byte.
const ENDED_BY_CTRL_C = 0x3a;

onWindows(
  "exec: Ctrl-C ends the program and then rekey, as it ended",
  async (box) => {
    await box.json("init");
    // Ctrl-C ends cmd and what it waits for, in either order; a command after that could still set another status.
    await using running = await Running.start(box, ["cmd", "/d", "/c", WAITING], {
      rekey: box.rekeyInConsole,
      flags: ["--on-rotate", "restart"],
    });
    await box.untilRunning("ping.exe", 1);
    running.process.kill("SIGINT");
    assert.equal((await running.ended()).code, ENDED_BY_CTRL_C, running.stderr);
    for (const name of ["ping.exe", "cmd.exe", "rekey.exe"]) await box.untilRunning(name, 0);
  },
  ["database"],
  WITHOUT_CONSOLE,
);
