import assert from "node:assert/strict";
import { Box } from "../support/process/box.ts";
import { listener } from "../support/commands/exec_programs.ts";
import { initialised } from "../support/process/initialised.ts";
import { Running } from "../support/process/running.ts";

const SHOW = ["/usr/bin/env"];

/** The variables that a program gets under `exec`. */
async function given(box: Box, ...flags: string[]): Promise<Record<string, string>> {
  const { code, stdout, stderr } = await box.run(["exec", ...flags, "--", ...SHOW]);
  assert.equal(code, 0, stderr);
  const lines = stdout.trim().split("\n").map((line) => line.split(/=(.*)/s) as [string, string]);
  return Object.fromEntries(lines);
}

Deno.test("exec: the previous value is there inside a grace window, and only then", async () => {
  using box = await initialised();
  const first = await given(box);
  assert.equal(first.JWT_SECRET_PREVIOUS, undefined);
  await box.json("rotate", "--force", "--grace", "1h");
  const second = await given(box);
  assert.notEqual(second.JWT_SECRET, first.JWT_SECRET);
  assert.equal(second.JWT_SECRET_PREVIOUS, first.JWT_SECRET);
  await box.json("rotate", "--force", "--grace", "1h");
  const third = await given(box, "--env", "A", "--env", "B", "--env-previous", "OLD");
  assert.equal(third.OLD, second.JWT_SECRET, "the newest of them");
  assert.equal(third.A, third.B);
  assert.deepEqual([third.JWT_SECRET, third.JWT_SECRET_PREVIOUS], [undefined, undefined]);
  assert.equal((await given(box, "--no-env-previous")).JWT_SECRET_PREVIOUS, undefined);
  const own = await given(box, "--env", "JWT_SECRET_PREVIOUS");
  assert.equal(own.JWT_SECRET_PREVIOUS, third.A, "a name that --env takes holds the current one");
  const twice = ["exec", "--env", "A", "--env-previous", "A", "--", ...SHOW];
  const refused = await box.run(twice);
  assert.deepEqual([refused.code, refused.stdout], [2, ""]);
  assert.match(refused.stderr, /Cannot put two values into A/);
  await box.json("revoke");
  assert.equal((await given(box)).JWT_SECRET_PREVIOUS, undefined);
});

Deno.test("exec: what an exec before it gave, and is over, is not inherited", async () => {
  using box = await initialised();
  const over = [
    "JWT_SECRET_PREVIOUS",
    "REKEY_KID_PREVIOUS",
    "REKEY_ALG_PREVIOUS",
    "REKEY_KEYS_FILE",
  ];
  for (const name of [...over, "OLD"]) box.env[name] = "over";
  for (const stays of [[], ["--on-rotate", "restart"]]) {
    const program = await given(box, ...stays);
    assert.deepEqual(over.filter((name) => name in program), []);
    assert.equal(program.OLD, "over", "a name that rekey does not know");
    assert.ok(!("OLD" in await given(box, ...stays, "--env-previous", "OLD")));
    const own = await given(box, ...stays, "--no-env-previous");
    assert.equal(own.JWT_SECRET_PREVIOUS, "over", "one that the operator sets");
  }
  assert.notEqual((await given(box, "--keys-file")).REKEY_KEYS_FILE, "over");
  await box.json("rotate", "--force", "--grace", "1h");
  const inside = await given(box);
  assert.ok(inside.JWT_SECRET_PREVIOUS !== "over" && inside.REKEY_KID_PREVIOUS !== "over");
});

Deno.test("exec: of a key pair before an HMAC secret it says where both are, which depends on the flags", async () => {
  using box = new Box();
  await box.run(["init", "--alg", "ES256"]);
  await box.run(["rotate", "--force", "--alg", "HS512", "--grace", "1h"]);
  const said = async (...flags: string[]) =>
    (await box.run(["exec", ...flags, "--", ...SHOW])).stderr;
  assert.match(await said(), /; --keys-file gives it a file with both\n$/);
  assert.match(await said("--keys-file"), /; the file in REKEY_KEYS_FILE has both\n$/);
  assert.equal(await said("--keys-file", "--no-env-previous"), "");
});

Deno.test("exec --on-rotate restart: the previous value leaves the program when its window ends", async () => {
  using box = await initialised();
  const flags = ["--on-rotate", "restart"];
  await using running = await Running.start(box, listener(), { flags });
  const starts = () => running.stdout.match(/^ready/gm)!.length;
  await box.json("rotate", "--force", "--grace", "1h");
  await running.until(() => starts() === 2);
  await running.until(() => running.stderr.includes("restarted with the new one"));
  await box.json("revoke");
  await running.until(() => starts() === 3);
  await running.until(() => running.stderr.includes("restarted without the previous value"));
});

Deno.test("exec --on-rotate restart --no-env-previous: one restart for a rotation, none when its window ends", async () => {
  using box = await initialised();
  const flags = ["--on-rotate", "restart", "--no-env-previous"];
  await using running = await Running.start(box, listener(), { flags });
  const starts = () => running.stdout.match(/^ready/gm)!.length;
  await box.json("rotate", "--force", "--grace", "1h");
  await running.until(() => starts() === 2);
  await box.json("revoke");
  await box.json("rotate", "--force");
  await running.until(() => starts() === 3);
  assert.equal(running.stdout.match(/SIGTERM/g)?.length, 2);
});
