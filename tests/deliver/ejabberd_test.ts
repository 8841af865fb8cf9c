import assert from "node:assert/strict";
import { unless } from "../support/faults/faults.ts";
import { accepts } from "../support/consumers/consumer.ts";
import { delivering, succeeds, tokenFor } from "../support/consumers/delivering.ts";
import { Ejabberd } from "../support/consumers/ejabberd.ts";
import { cutsHard, refusesAtOnce } from "../support/consumers/following.ts";
import { refusesForgeries } from "../support/consumers/forgeries.ts";
import { AS_DAEMONS, RUNS_DAEMONS } from "../support/consumers/system_daemon.ts";
import { thoroughly } from "../support/process/sample.ts";
import { until } from "../support/timing/pause.ts";

const ignore = unless(RUNS_DAEMONS, AS_DAEMONS);

Deno.test({ name: "ejabberd follows rotations", ignore }, async (t) => {
  await using ejabberd = await Ejabberd.prepare();
  using box = await delivering(ejabberd, "--alg", "HS256");
  await t.step("it refuses what is forged or over", () => refusesForgeries(box, ejabberd));
  await t.step("a rotation is a hard cut, also with a grace period", () => cutsHard(box, ejabberd));
  await t.step("a session goes on until its user is kicked", async () => {
    using session = await ejabberd.connect();
    assert.equal(await session.login("alice", await tokenFor(box, ejabberd)), "accepted");
    await session.bind();
    await succeeds(box, "rotate", "--force", "--alg", "HS384");
    assert.ok(await accepts(ejabberd, await tokenFor(box, ejabberd)));
    assert.ok(await session.isAlive());
    await ejabberd.kick();
    // Its tool does not wait for the session to end.
    await until(async () => !await session.isAlive());
  });
  await t.step("an old token is refused at once", async () => {
    using waiting = await ejabberd.connect();
    await refusesAtOnce(box, ejabberd, (token) => waiting.login("alice", token));
  });
});

thoroughly("ejabberd knows algorithms of every kind", async () => {
  await using ejabberd = await Ejabberd.prepare();
  using box = await delivering(ejabberd, "--alg", "HS512");
  const algorithms = [
    "ES256",
    "ES512",
    "Ed25519",
    "EdDSA",
    "RS256",
    "PS256",
    "HS256",
  ];
  for (const alg of algorithms) {
    const old = await tokenFor(box, ejabberd);
    await succeeds(box, "rotate", "--force", "--alg", alg);
    assert.ok(await accepts(ejabberd, await tokenFor(box, ejabberd)), alg);
    assert.ok(!await accepts(ejabberd, old), `the token before ${alg}`);
  }
}, ignore);
