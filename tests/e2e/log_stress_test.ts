import assert from "node:assert/strict";
import { Box } from "../support/process/box.ts";
import { stressLog } from "../support/faults/log_stress.ts";

Deno.test("30 processes write, read and empty the log for 15 seconds: nothing is lost or damaged", async () => {
  using box = new Box();
  const { commits, emptied, reads } = await stressLog(box.home, 30, 15);
  assert.ok(commits > 0 && emptied > 0 && reads > 0);
});
