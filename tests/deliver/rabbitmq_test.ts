import assert from "node:assert/strict";
import { unless } from "../support/faults/faults.ts";
import { until } from "../support/timing/pause.ts";
import { delivering, succeeds, tokenFor } from "../support/consumers/delivering.ts";
import {
  changesAlgorithm,
  holdsBothKeys,
  refusesAtOnce,
  refusesNoValidToken,
} from "../support/consumers/following.ts";
import { RabbitMq } from "../support/consumers/rabbitmq.ts";
import { refusesForgeries } from "../support/consumers/forgeries.ts";
import { AS_DAEMONS, RUNS_DAEMONS } from "../support/consumers/system_daemon.ts";
import { seenCommandLines, watchCommandLines } from "../support/leaks/command_lines.ts";
import { thoroughly } from "../support/process/sample.ts";

const ignore = unless(RUNS_DAEMONS, AS_DAEMONS);

Deno.test({ name: "RabbitMQ follows rotations", ignore }, async (t) => {
  await using rabbit = await RabbitMq.prepare();
  using box = await delivering(rabbit, "--alg", "HS256");
  await t.step(
    "it refuses what is forged or over",
    () => refusesForgeries(box, rabbit, ["no exp"]),
  );
  await t.step("it holds both keys in the grace period", () => holdsBothKeys(box, rabbit));
  await t.step("no valid token is refused under load", async () => {
    await refusesNoValidToken(box, rabbit, 2);
  });
  await t.step(
    "a connection goes on after the key of its token has ended, until all are closed",
    async () => {
      using connection = await rabbit.connect();
      assert.equal(await connection.login(await tokenFor(box, rabbit)), "accepted");
      await succeeds(box, "rotate", "--force", "--alg", "HS384");
      assert.ok(await connection.isAlive());
      await rabbit.prints("close_all_connections", "--global", "key rotated");
      await until(async () => !await connection.isAlive());
    },
  );
  await t.step("a key is among no process's arguments; its own tool prints it", async () => {
    const keys: string[] = [];
    const seen = (text: string) => [...seenCommandLines()].some((line) => line.includes(text));
    // While a machine stands still, no one looks.
    for (let tries = 0; tries === 0 || !seen("signing_keys"); tries++) {
      assert.ok(tries < 5, "its tool was not seen");
      const stop = watchCommandLines();
      await succeeds(box, "rotate", "--force", "--alg", "HS512");
      stop();
      keys.push(...rabbit.keys());
    }
    for (const key of keys) assert.ok(!seen(key));
    const key = keys.at(-1);
    assert.ok((await rabbit.prints("environment")).includes(key!));
  });
  await t.step("an old token is refused at once", async () => {
    using waiting = await rabbit.connect();
    await refusesAtOnce(box, rabbit, (token) => waiting.login(token));
  });
});

thoroughly("RabbitMQ knows algorithms of every kind", async () => {
  await using rabbit = await RabbitMq.prepare();
  using box = await delivering(rabbit, "--alg", "HS512");
  await changesAlgorithm(box, rabbit, [
    ...["ES256", "HS256", "ES512", "Ed25519", "EdDSA", "RS256", "PS256"],
  ]);
}, ignore);
