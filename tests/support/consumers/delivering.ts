import assert from "node:assert/strict";
import { Box } from "../process/box.ts";
import { accepts, type Consumer } from "./consumer.ts";

/** Name of the delivery in a box of {@linkcode delivering}. */
export const DELIVERY = "it";

/**
 * A user with a secret that is delivered to a consumer, which runs by then.
 *
 * @param init more flags of `rekey init`.
 */
export async function delivering(consumer: Consumer, ...init: string[]): Promise<Box> {
  const { tools, delivery, startsEmpty } = consumer;
  const box = new Box(tools === undefined ? {} : { PATH: `${tools}:/usr/bin:/bin` });
  await succeeds(box, "init", ...init);
  if (startsEmpty) await consumer.start();
  const added = await box.run(["deliver", "add", DELIVERY, ...delivery]);
  // What needs its keys to start cannot be asked before.
  assert.equal(added.code, startsEmpty ? 0 : 5, added.stderr);
  if (!startsEmpty) {
    await consumer.start();
    await succeeds(box, "deliver", "sync");
  }
  assert.ok(await accepts(consumer, await tokenFor(box, consumer)));
  return box;
}

/** Runs rekey. @throws when it does not exit with 0. */
export async function succeeds(box: Box, ...args: string[]): Promise<void> {
  const { code, stderr } = await box.run(args);
  assert.equal(code, 0, `rekey ${args[0]}: ${stderr}`);
}

/** A token that the current version signs, with the claims that a consumer wants. */
export async function tokenFor(box: Box, consumer: Consumer): Promise<string> {
  const { token } = await box.json("issue", ...consumer.claims);
  return token;
}
