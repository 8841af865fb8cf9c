import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { thoroughly } from "../support/process/sample.ts";
import { unless } from "../support/faults/faults.ts";
import { delivering } from "../support/consumers/delivering.ts";
import { cutsHard, holdsBothKeys, refusesAtOnce } from "../support/consumers/following.ts";
import { initialised } from "../support/process/initialised.ts";
import { Slurm } from "../support/consumers/slurm.ts";
import { refusesForgeries } from "../support/consumers/forgeries.ts";
import { AS_DAEMONS, RUNS_DAEMONS } from "../support/consumers/system_daemon.ts";

const ignore = unless(RUNS_DAEMONS, AS_DAEMONS);

Deno.test({ name: "Slurm follows rotations", ignore }, async (t) => {
  await using slurm = await Slurm.prepare();
  using box = await delivering(slurm, "--alg", "HS256");
  await t.step("it refuses what is forged or over", () => refusesForgeries(box, slurm));
  await t.step("a rotation is a hard cut, also with a grace period", () => cutsHard(box, slurm));
  await t.step(
    "an old token is refused at once",
    () => refusesAtOnce(box, slurm, (token) => slurm.answer(token)),
  );
});

Deno.test({ name: "Slurm gets no key of an algorithm that it does not know", ignore }, async () => {
  await using slurm = await Slurm.prepare();
  using box = await initialised();
  const { code, stderr } = await box.run(["deliver", "add", "slurm", ...slurm.delivery]);
  assert.equal(code, 5);
  assert.match(stderr, /HS256, and the secret is for HS512/);
  assert.ok(!existsSync(slurm.key));
});

thoroughly("Slurm holds several key pairs, of RS256 alone", async (t) => {
  await using slurm = await Slurm.prepare("slurm-jwks");
  using box = await delivering(slurm, "--alg", "RS256");
  await t.step("it holds both keys in the grace period", () => holdsBothKeys(box, slurm));
  await t.step(
    "an old token is refused at once",
    () => refusesAtOnce(box, slurm, (token) => slurm.answer(token)),
  );
  await t.step("a rotation to another algorithm is refused", async () => {
    const { kid } = await box.json("status");
    const stopped = await box.run(["rotate", "--force", "--grace", "1h", "--alg", "ES256"]);
    assert.match(stopped.stderr, /Slurm .* knows RS256, and not ES256/);
    assert.equal((await box.json("status")).kid, kid);
  });
}, ignore);
