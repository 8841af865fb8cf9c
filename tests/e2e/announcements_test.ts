import assert from "node:assert/strict";
import { type Box, REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import {
  keyFile,
  type Receiver,
  receiver,
  ROTATE,
  versionOf,
} from "../support/commands/notices.ts";
import { printed } from "../support/process/printed.ts";
import { start } from "../../scripts/program.ts";

/** Announces a rotation and waits for it. @returns whether the machine was quick enough to be asked before it. */
async function isAskedBefore(box: Box, taken: Receiver, path: string, at: string) {
  const [token, { version: before }] = [await box.token(), await box.json("status")];
  const args = ["--at", at, "--notify-url", taken.url, "--notify-key-file", path];
  let isOver = false;
  const rotating = box.run([...ROTATE, ...args]).finally(() => isOver = true);
  let announced: string | null = null;
  while (announced === null && !isOver) {
    announced = (await box.json("status")).rotation_announced;
  }
  const { valid } = await box.json("verify", token);
  const isEarly = announced !== null && Date.now() < Date.parse(announced);
  if (isEarly) assert.equal(valid, true, "until then it verifies");
  const { code, stderr } = await rotating;
  assert.equal(code, 0, stderr);
  const { version, rotation_announced } = await box.json("status");
  assert.deepEqual([version, rotation_announced], [before + 1, null]);
  const posts = taken.posts.splice(0).map(({ body }) => JSON.parse(body));
  assert.deepEqual(posts.map(({ type }) => type), ["rotation.announced", "rotation.completed"]);
  assert.ok(Date.now() >= Date.parse(posts[0].data.at));
  if (announced !== null) assert.equal(posts[0].data.at, announced);
  assert.equal((await box.json("verify", token)).code, "retired_kid");
  return isEarly;
}

Deno.test("--at announces a rotation, and makes it then", async () => {
  using box = await initialised();
  await using taken = receiver();
  const [path] = keyFile(box);
  for (const at of ["3s", "15s", "75s"]) {
    if (await isAskedBefore(box, taken, path, at)) return;
  }
  assert.fail("no one could ask before the rotation");
});

Deno.test("--at can be taken back, and nothing is changed", async () => {
  using box = await initialised();
  await using taken = receiver();
  const [path] = keyFile(box);
  const waiting = start(REKEY, [
    ...ROTATE,
    "--at",
    "1h",
    "--notify-url",
    taken.url,
    "--notify-key-file",
    path,
  ], {
    clearEnv: true,
    env: { HOME: box.home },
    stderr: "piped",
  });
  const all = await printed(waiting.stderr, "The rotation is announced for");
  assert.equal(taken.posts.length, 1);
  waiting.kill("SIGTERM");
  assert.equal((await waiting.status).code, 1, await all());
  const { version, rotation_announced } = await box.json("status");
  assert.deepEqual([version, rotation_announced], [1, null]);
  const types = taken.posts.map(({ body }) => JSON.parse(body).type);
  assert.deepEqual(types, ["rotation.announced", "rotation.cancelled"]);
  assert.equal((await box.run([...ROTATE, "--at", "2020-01-01T00:00:00Z"])).code, 2);
});

Deno.test("an announced rotation that is not made is taken back, and whoever was told is told that too", async () => {
  using box = await initialised();
  await using taken = receiver();
  const [path] = keyFile(box);
  const args = [...ROTATE, "--at", "1s", "--notify-url", taken.url, "--notify-key-file", path];
  for (
    const [code, more] of [[1, ["--before", "false"]], [0, ["--if-older-than", "90d"]]] as const
  ) {
    assert.equal((await box.run([...args, ...more])).code, code);
    const types = taken.posts.splice(0).map(({ body }) => JSON.parse(body).type);
    const failed = code === 0 ? [] : ["rotation.failed"];
    assert.deepEqual(types, ["rotation.announced", "rotation.cancelled", ...failed]);
  }
  const { stdout } = await box.run(["audit", "list"]);
  assert.equal(stdout.match(/cancelled/g)?.length, 2, stdout);
  assert.equal(await versionOf(box), 1);
});

Deno.test("an announcement that no receiver takes can be withdrawn before it is posted", async () => {
  using box = await initialised();
  const [path] = keyFile(box);
  using deaf = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${(deaf.addr as Deno.NetAddr).port}/`;
  const waiting = start(REKEY, [
    ...ROTATE,
    "--at",
    "1h",
    "--notify-url",
    url,
    "--notify-key-file",
    path,
  ], {
    clearEnv: true,
    env: { HOME: box.home },
    stderr: "piped",
  });
  (await deaf.accept()).close();
  const { rotation_announced: before } = await box.json("status");
  waiting.kill("SIGTERM");
  assert.equal((await waiting.output()).code, 1);
  const { rotation_announced: after } = await box.json("status");
  assert.deepEqual([typeof before, after], ["string", null]);
});
