import assert from "node:assert/strict";
import { stressLog } from "../support/log_stress.ts";

Deno.test("30 processes write, read and empty the log for 15 seconds: nothing is lost or damaged", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const { commits, emptied, reads } = await stressLog(folder, 30, 15);
  assert.ok(commits > 0 && emptied > 0 && reads > 0);
  Deno.removeSync(folder, { recursive: true });
});
