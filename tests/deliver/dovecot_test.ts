import assert from "node:assert/strict";
import { unless } from "../support/faults/faults.ts";
import { until } from "../support/timing/pause.ts";
import { delivering, succeeds, tokenFor } from "../support/consumers/delivering.ts";
import { Dovecot } from "../support/consumers/dovecot.ts";
import {
  changesAlgorithm,
  holdsBothKeys,
  refusesAtOnce,
  refusesNoValidToken,
} from "../support/consumers/following.ts";
import { refusesForgeries } from "../support/consumers/forgeries.ts";
import { AS_DAEMONS, RUNS_DAEMONS } from "../support/consumers/system_daemon.ts";
import { thoroughly } from "../support/process/sample.ts";

const ignore = unless(RUNS_DAEMONS, AS_DAEMONS);

Deno.test({ name: "Dovecot follows rotations", ignore }, async (t) => {
  await using dovecot = await Dovecot.prepare();
  using box = await delivering(dovecot);
  await t.step("it refuses what is forged or over", () => refusesForgeries(box, dovecot));
  await t.step("it holds both keys in the grace period", () => holdsBothKeys(box, dovecot));
  await t.step("no valid token is refused under load", async () => {
    const { unavailable, accepted } = await refusesNoValidToken(box, dovecot, 5);
    // A reload cuts off logins that are under way.
    assert.ok(unavailable < accepted, `${unavailable} cut off, ${accepted} accepted`);
  });
  await t.step(
    "a session goes on after the key of its token has ended, until its user is kicked",
    async () => {
      using session = await dovecot.connect();
      assert.equal(await session.login("alice", await tokenFor(box, dovecot)), "accepted");
      await succeeds(box, "rotate", "--force");
      assert.ok(await session.isAlive());
      await dovecot.kick();
      await until(async () => !await session.isAlive());
    },
  );
  await t.step("an old token is refused at once", async () => {
    using waiting = await dovecot.connect();
    await refusesAtOnce(box, dovecot, (token) => waiting.login("alice", token));
  });
});

thoroughly("Dovecot knows algorithms of every kind", async () => {
  await using dovecot = await Dovecot.prepare();
  using box = await delivering(dovecot, "--alg", "HS256");
  await changesAlgorithm(box, dovecot, ["HS384", "ES256", "HS512", "RS256", "RS512", "PS256"]);
  const before = await box.json("status");
  for (const alg of ["ES384", "ES512", "Ed25519", "EdDSA"]) {
    const stopped = await box.run(["rotate", "--force", "--grace", "1h", "--alg", alg]);
    assert.match(stopped.stderr, /Not rotated: it: Dovecot/);
  }
  assert.equal((await box.json("status")).kid, before.kid);
}, ignore);
