import assert from "node:assert/strict";
import { parseDuration } from "../../src/core/clock.ts";
import { isRekeyError } from "../../src/core/errors.ts";

for (
  const [text, seconds] of [["0s", 0], ["15m", 900], ["90d", 7_776_000], ["1h30m", 5_400]] as const
) {
  Deno.test(`${text} is ${seconds} seconds`, () => assert.equal(parseDuration(text), seconds));
}

for (const text of ["", "15", "m", "-1s", "1.5h", "1w", "1h ", "999999999d", "1e3s"]) {
  Deno.test(`${JSON.stringify(text)} is not a duration`, () => {
    assert.throws(() => parseDuration(text), (error) => isRekeyError(error, "usage"));
  });
}
