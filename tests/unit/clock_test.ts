import assert from "node:assert/strict";
import { rfc3339, rfc3339Now } from "../../src/core/clock.ts";
import { pause } from "../support/timing/pause.ts";

Deno.test("the text for now is that of the millisecond in which it is asked for", async () => {
  for (let asked = 0; asked < 20; asked++) {
    const before = Date.now();
    const text = rfc3339Now();
    const after = Date.now();
    assert.ok(rfc3339(before) <= text && text <= rfc3339(after), text);
    // Sometimes the same millisecond, sometimes a later one.
    if (asked % 2 === 0) await pause(2);
  }
});
