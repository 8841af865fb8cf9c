import assert from "node:assert/strict";
import { join } from "node:path";
import { later, started, states } from "../support/commands/standby.ts";
import { type Box, REKEY } from "../support/process/box.ts";

/** A hook that writes down that it ran, and whether it did. */
function hook(box: Box, name: string): { flags: string[]; ran: () => boolean } {
  const path = join(box.home, name);
  const ran = () => [...Deno.readDirSync(box.home)].some((file) => file.name === name);
  return { flags: [`--${name}`, `touch ${path}`], ran };
}

Deno.test("an activation that is refused runs no hook: none is prepared, or it is too early", async () => {
  using box = await started();
  const [before, after] = [hook(box, "before"), hook(box, "after")] as const;
  const activate = ["rotate", "--activate", ...before.flags, ...after.flags];
  for (const force of [[], ["--force"]]) {
    const { code, stderr } = await box.run([...activate, ...force]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /Cannot activate a version: none is prepared/);
  }
  await box.json("rotate", "--prepare", "--alg", "ES256");
  const early = await box.run(activate);
  assert.equal(early.code, 5, early.stderr);
  assert.match(early.stderr, /Cannot activate version 2 before /);
  assert.deepEqual([before.ran(), after.ran()], [false, false]);
  assert.deepEqual(states(box), ["1 current", "2 pending"]);

  const done = await later(box, "+601s", ...activate);
  assert.equal(done.code, 0, done.stderr);
  assert.deepEqual([before.ran(), after.ran()], [true, true]);
});

Deno.test("an activation that is refused asks no program", async () => {
  using box = await started();
  const asked = join(box.home, "asked");
  const path = join(box.home, "keys.json");
  const added = await box.run([
    ...["deliver", "add", "api", "--format", "jwks", "--path", path],
    ...["--reload", `echo reload >> ${asked}`],
  ]);
  assert.equal(added.code, 0, added.stderr);
  // From now on each round would call it.
  Deno.removeSync(path);
  Deno.removeSync(asked);
  const refused = await box.run(["rotate", "--activate", "--force", "--grace", "1h"]);
  assert.equal(refused.code, 1, refused.stderr);
  assert.throws(() => Deno.statSync(asked), Deno.errors.NotFound);
});

Deno.test("two activations at once: --before of both may run, and the second finds it active", async () => {
  using box = await started();
  const { kid } = await box.json("rotate", "--prepare");
  const inner = "rotate --activate --grace 1h --quiet";
  const second = await box.json("rotate", "--activate", "--before", `${REKEY} ${inner}`);
  assert.deepEqual([second.kid, second.rotated], [kid, false]);
});
