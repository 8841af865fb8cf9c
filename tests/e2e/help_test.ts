import assert from "node:assert/strict";
import { TOPICS } from "../../src/cli/flags/help.ts";
import { codesOf, EXIT_STATUSES } from "../../src/core/errors.ts";
import { Box } from "../support/process/box.ts";

Deno.test("help: every topic is a page, and every command has its flags there", async () => {
  using box = new Box();
  for (const topic of TOPICS) {
    const { code, stdout, stderr } = await box.run(["help", topic]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^[A-Z][a-z][^\n]*\n\n[^]*^[A-Z][A-Z, -]+$/m);
    assert.ok(stdout.split("\n").every((line) => line.length <= 80), topic);
    assert.equal(JSON.parse((await box.run(["help", topic, "--json"])).stdout).topic, topic);
  }
  const ofCommand = await box.run(["help", "user", "add"]);
  assert.equal(ofCommand.stdout, (await box.run(["user", "add", "--help"])).stdout);
  assert.match((await box.run(["help"])).stdout, /help TOPIC`, a page about:\nconcepts/);
  for (const words of [["nonsense"], ["user", "nonsense"], ["storage", "rotation"]]) {
    const { code, stdout, stderr } = await box.run(["help", ...words]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /^error: Cannot find that help page\nhint: .*storage/);
  }
});

Deno.test("help exit-codes: every status and code", async () => {
  using box = new Box();
  const { stdout } = await box.run(["help", "exit-codes"]);
  for (const [status, meaning] of Object.entries(EXIT_STATUSES)) {
    assert.ok(stdout.includes(`  ${status.padEnd(4)} ${meaning}\n`), status);
    for (const code of codesOf(Number(status))) assert.ok(stdout.includes(` ${code}\n`), code);
  }
});
