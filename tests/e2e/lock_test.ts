import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { Box } from "../support/process/box.ts";
import { pause } from "../support/timing/pause.ts";
import { quickest, took } from "../support/timing/took.ts";
import { connect, sql } from "../support/store/sql.ts";

// What SQLite's binding waits when nothing else was said: no time-out of ours may be taken for it.
const BINDINGS_OWN_MS = 5_000;

/** Holds the lock that rotations take, as another process in the middle of one does. */
function takeLock(box: Box): DatabaseSync {
  const lock = connect(`${box.database}.lock`);
  lock.exec("BEGIN EXCLUSIVE");
  return lock;
}

const rotate = (box: Box, wait: string) => box.run(["rotate", "--force", "--lock-timeout", wait]);

Deno.test("--lock-timeout 0s does not wait for another rotation: exit 6", async () => {
  using box = new Box();
  await box.run(["init"]);
  const usual = await took(async () => assert.equal((await rotate(box, "0s")).code, 0));
  const lock = takeLock(box);
  const isPrompt = (ms: number) => ms < usual + BINDINGS_OWN_MS - 1_000;
  const now = await quickest(
    isPrompt,
    async () => assert.equal((await rotate(box, "0s")).code, 6),
  );
  assert.ok(isPrompt(now), `${now} ms, and ${usual} ms without a lock`);
  lock.close();
});

Deno.test("a reader does not wait for the rotation that is at work, nor does it undo it", async () => {
  using box = new Box();
  await box.run(["init"]);
  const token = await box.token();
  const verify = async () => assert.equal((await box.run(["verify", token])).code, 0);
  const usual = await took(verify);
  sql(box, "INSERT INTO rekey_meta VALUES ('scrub_pending', 'log')");
  const lock = takeLock(box);
  const isPrompt = (ms: number) => ms < usual + BINDINGS_OWN_MS - 1_000;
  const now = await quickest(isPrompt, verify);
  assert.ok(isPrompt(now), `${now} ms, and ${usual} ms without a lock`);
  lock.close();
});

Deno.test("--lock-timeout waits as long as it says, weeks too", async () => {
  using box = new Box();
  await box.run(["init"]);
  const lock = takeLock(box);
  const waiting = Promise.all([rotate(box, "1m"), rotate(box, "30d")]);
  await pause(BINDINGS_OWN_MS + 1_000);
  lock.close();
  assert.deepEqual((await waiting).map(({ code }) => code), [0, 0]);
});
