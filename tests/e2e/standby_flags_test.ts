import assert from "node:assert/strict";
import { later, started, states } from "../support/commands/standby.ts";
import type { Box } from "../support/process/box.ts";

const TIMER = ["rotate", "--force", "--if-older-than", "30d", "--standby", "1d", "--grace", "36h"];

/** What a timer's run writes on stderr, without remarks. */
async function warned(box: Box, by: string, ...more: string[]): Promise<string> {
  const { code, stderr } = await later(box, by, ...TIMER, "--quiet", ...more);
  assert.equal(code, 0, stderr);
  return stderr;
}

Deno.test("a prepared version of another algorithm than a timer asks for is activated, and each run says so", async () => {
  using box = await started();
  await warned(box, "+29d", "--alg", "ES256");
  const other = ["--alg", "ES384"];
  const says =
    /version 2 \(ES256\) is prepared, .* as --alg ES384 says: `rekey rotate --force --alg ES384 --grace 36h` /;
  for (const more of [[], ["--json"], ["--dry-run"]]) {
    assert.match(await warned(box, "+29.5d", ...other, ...more), says, `${more}`);
  }
  for (const same of [[], ["--alg", "ES256"]]) {
    assert.equal(await warned(box, "+29.5d", ...same), "");
  }
  assert.match(await warned(box, "+30.1d", ...other, "--dry-run"), says);
  assert.match(await warned(box, "+30.1d", ...other), says);
  assert.deepEqual(states(box), ["1 previous", "2 current"]);
  assert.equal(await warned(box, "+30.2d", ...other), "");

  await warned(box, "+59.1d", ...other);
  assert.equal((await box.json("status")).prepared.alg, "ES384");
});

Deno.test("so is one of another size", async () => {
  using box = await started();
  await warned(box, "+29d");
  assert.match(await warned(box, "+29.5d", "--bytes", "96"), /not as --bytes 96 says/);
  assert.equal(await warned(box, "+29.5d", "--bytes", "64", "--as", "base64"), "");
});
