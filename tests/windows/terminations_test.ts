import assert from "node:assert/strict";
import { terminateRotations } from "../support/windows/terminations.ts";
import { onWindows } from "../support/windows/tests.ts";

// `deno task crash-windows` does the same 200 times.
const TIMES = 6;

onWindows(`${TIMES} rotations that are terminated lose and double nothing`, async (box) => {
  await box.json("init");
  const { terminations, found } = await terminateRotations(box, TIMES);
  assert.equal(terminations, TIMES);
  assert.ok(
    found["begin to commit"] + found["after commit"] + found.done > 0,
    "all came too early",
  );
});
