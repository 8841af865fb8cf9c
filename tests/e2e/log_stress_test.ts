import assert from "node:assert/strict";
import { Box } from "../support/process/box.ts";
import { THOROUGH } from "../support/process/sample.ts";
import { stressLog } from "../support/faults/log_stress.ts";

// `deno task log-stress` has thirty for three minutes; to start one takes a quarter of a second of a processor.
const [PROCESSES, SECONDS] = THOROUGH ? [30, 15] : [12, 10];

Deno.test(`${PROCESSES} processes write, read and empty the log for ${SECONDS} seconds: nothing is lost or damaged`, async () => {
  using box = new Box();
  const { commits, emptied, reads } = await stressLog(box.home, PROCESSES!, SECONDS!);
  assert.ok(commits > 0 && emptied > 0 && reads > 0);
});
