import assert from "node:assert/strict";
import { join } from "node:path";
import { embeddedBytes } from "../../scripts/denort/elf.ts";
import { Serving } from "../support/http/serving.ts";
import { Box, REKEY } from "../support/process/box.ts";

Deno.test("a server whose executable was removed goes on", async () => {
  using box = new Box();
  const copy = join(box.home, "rekey");
  await Deno.copyFile(REKEY, copy);
  await box.run(["init", "--store", "database"]);
  await using serving = await Serving.start(box, ["--workers", "2"], { rekey: [copy] });
  await Deno.remove(copy);
  const old = await box.token();
  const status = async (path: string, token?: string) => {
    const answer = await serving.get(path, token);
    await answer.body?.cancel();
    return answer.status;
  };
  assert.equal(await status("/auth", old), 204);
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
  assert.equal(await status("/auth", old), 401);
  assert.equal(await status("/auth", await box.token()), 204);
  for (const path of ["/metrics", "/status.json", "/openapi.json"]) {
    assert.equal(await status(path), 200, path);
  }
});

Deno.test("a command whose code is gone from the executable says so, and a frequent one needs none", async () => {
  using box = new Box();
  const copy = join(box.home, "rekey");
  const file = await Deno.readFile(REKEY);
  // The end of the index of what is appended.
  const at = file.length - embeddedBytes(file)! - 9;
  file.fill(0, at - 20, at);
  await Deno.writeFile(copy, file, { mode: 0o755 });
  await box.run(["init", "--store", "database"]);
  assert.equal((await box.exec(copy, ["verify", await box.token()])).code, 0);
  assert.equal((await box.exec(copy, ["rotate", "--force"])).code, 0);
  const { code, stdout, stderr } = await box.exec(copy, ["audit", "list"]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /^error: Cannot load the command: the executable was replaced\nhint: Run/);
  assert.doesNotMatch(stderr, /at file:|\n +at /);
});
