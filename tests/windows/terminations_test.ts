import assert from "node:assert/strict";
import { terminateRotations } from "../support/windows/terminations.ts";
import { onWindows } from "../support/windows/tests.ts";

// `deno task crash-windows` does the same 200 times, at random.
const TIMES = 6;

/** Moments spread from early to late, so that each run tests both. */
function spread(): () => number {
  let turn = 0;
  return () => (turn++ % TIMES + 0.5) / TIMES;
}

onWindows(`${TIMES} rotations that are terminated lose and duplicate nothing`, async (box) => {
  await box.json("init");
  const { terminations, found } = await terminateRotations(box, TIMES, spread());
  assert.equal(terminations, TIMES);
  assert.ok(
    found["begin to commit"] + found["after commit"] + found.done > 0,
    "all came too early",
  );
});
