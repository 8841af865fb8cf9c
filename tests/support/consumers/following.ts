import assert from "node:assert/strict";
import type { Box } from "../process/box.ts";
import { THOROUGH } from "../process/sample.ts";
import { accepts, type Consumer, type Verdict } from "./consumer.ts";
import { DELIVERY, succeeds, tokenFor } from "./delivering.ts";
import { Logins } from "./logins.ts";

const GRACEFULLY = ["rotate", "--force", "--grace", "1h"];

/** A consumer of several keys: old and new token in the grace period, the old one refused when it has ended. */
export async function holdsBothKeys(box: Box, consumer: Consumer): Promise<void> {
  const old = await tokenFor(box, consumer);
  await succeeds(box, ...GRACEFULLY);
  const fresh = await tokenFor(box, consumer);
  assert.ok(await accepts(consumer, old), "the old token in the grace period");
  assert.ok(await accepts(consumer, fresh), "the new token in the grace period");
  await succeeds(box, "revoke");
  assert.ok(!await accepts(consumer, old), "the old token after the grace period");
  assert.ok(await accepts(consumer, fresh), "the new token after the grace period");
}

/**
 * A consumer of several keys, softly from each algorithm to the next: both tokens in the grace period, and the old one
 * refused when it has ended.
 */
export async function changesAlgorithm(
  box: Box,
  consumer: Consumer,
  algorithms: readonly string[],
): Promise<void> {
  for (const alg of algorithms) {
    const old = await tokenFor(box, consumer);
    await succeeds(box, ...GRACEFULLY, "--alg", alg);
    const fresh = await tokenFor(box, consumer);
    assert.ok(await accepts(consumer, old), `the token before ${alg} in the grace period`);
    assert.ok(await accepts(consumer, fresh), `the token of ${alg} in the grace period`);
    await succeeds(box, "deliver", "check");
    await succeeds(box, "revoke");
    assert.ok(!await accepts(consumer, old), `the token before ${alg} after the grace period`);
    assert.ok(await accepts(consumer, fresh), `the token of ${alg} after the grace period`);
  }
}

/**
 * A consumer of several keys, with clients that log in all the time: no valid token is refused while the secret is
 * rotated gracefully and grace periods end.
 *
 * @returns how the logins ended.
 */
export async function refusesNoValidToken(
  box: Box,
  consumer: Consumer,
  rotations: number,
): Promise<Record<Verdict, number>> {
  let token = await tokenFor(box, consumer);
  await using logins = new Logins(consumer, token);
  for (let count = 0; count < (THOROUGH ? 100 : rotations); count++) {
    await succeeds(box, ...GRACEFULLY);
    const old = token;
    logins.add(token = await tokenFor(box, consumer));
    logins.remove(old);
    await succeeds(box, "revoke");
  }
  await logins.end();
  assert.equal(logins.verdicts.refused, 0, JSON.stringify(logins.verdicts));
  assert.ok(logins.verdicts.accepted > rotations, JSON.stringify(logins.verdicts));
  return logins.verdicts;
}

/**
 * A rotation without grace: when it has exited, the consumer accepts no token of before, also after it was restarted.
 *
 * @param earlier logs in on a connection that was made before the rotation, and says how that ended.
 */
export async function refusesAtOnce(
  box: Box,
  consumer: Consumer,
  earlier: (token: string) => Promise<Verdict>,
): Promise<void> {
  const old = await tokenFor(box, consumer);
  await succeeds(box, "rotate", "--force");
  assert.notEqual(await earlier(old), "accepted", "the old token, on a connection of before");
  const tries = await Promise.all([1, 2, 3].map(() => accepts(consumer, old)));
  assert.deepEqual(tries, [false, false, false], "the old token");
  const fresh = await tokenFor(box, consumer);
  assert.ok(await accepts(consumer, fresh), "the new token");
  await consumer.restart();
  assert.ok(!await accepts(consumer, old), "the old token, after a restart");
  assert.ok(await accepts(consumer, fresh), "the new token, after a restart");
}

/** A consumer of one key: with a grace period, too, the old token ends with the rotation; and rekey says so. */
export async function cutsHard(box: Box, consumer: Consumer): Promise<void> {
  const old = await tokenFor(box, consumer);
  await succeeds(box, ...GRACEFULLY);
  assert.ok(await accepts(consumer, await tokenFor(box, consumer)), "the new token");
  assert.ok(!await accepts(consumer, old), "the old token");
  assert.equal((await box.json("verify", old)).valid, true);
  assert.match((await box.run(["deliver", "show", DELIVERY])).stdout, /^keys +one: .*hard cut/m);
  await succeeds(box, "revoke");
}
