import assert from "node:assert/strict";
import type { WindowsBox } from "../support/windows/box.ts";
import { Running } from "../support/running.ts";
import { onWindows, WITHOUT_CONSOLE } from "../support/windows/tests.ts";

/** A script that says with which version it runs, starts another program and waits for it. */
const LINE = "echo ready %REKEY_KID%& ping -n 60 127.0.0.1 >nul";

function start(box: WindowsBox, rekey: readonly string[], ...flags: string[]): Promise<Running> {
  return Running.start(box, ["cmd", "/d", "/c", LINE], { rekey, flags });
}

onWindows("exec: a restart ends all of the program, which gets the new value", async (box) => {
  await box.json("init");
  await using running = await start(box, box.rekey, "--on-rotate", "restart");
  await box.untilRunning("PING.EXE", 1);
  const { kid } = await box.json("rotate", "--force");
  await running.until(() => running.stdout.includes(`ready ${kid}`));
  await box.untilRunning("PING.EXE", 1);
  assert.deepEqual((await box.json("status")).stale_processes, []);
  // As by TerminateProcess: what rekey leaves behind is in its job.
  running.process.kill("SIGKILL");
  await running.ended();
  await box.untilRunning("PING.EXE", 0);
  assert.equal(await box.running("cmd.exe"), 0);
});
