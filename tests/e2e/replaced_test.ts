import assert from "node:assert/strict";
import { join } from "node:path";
import { embeddedBytes } from "../../scripts/denort/elf.ts";
import { Serving } from "../support/http/serving.ts";
import { Box, REKEY } from "../support/process/box.ts";

Deno.test("a server whose executable was replaced goes on, at each of its addresses", async () => {
  using box = new Box();
  const copy = join(box.home, "rekey");
  await Deno.copyFile(REKEY, copy);
  await box.run(["init", "--store", "database"]);
  await using serving = await Serving.start(box, ["--workers", "2"], { rekey: [copy] });
  await Deno.writeTextFile(`${copy}.new`, "#!/bin/false\n", { mode: 0o755 });
  await Deno.rename(`${copy}.new`, copy);
  const old = await box.token();
  assert.equal(await serving.auth(old), 204);
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
  assert.equal(await serving.auth(old), 401);
  assert.equal(await serving.auth(await box.token()), 204);
  const { paths } = await (await serving.get("/openapi.json")).json();
  assert.ok(Object.keys(paths).length > 10);
  const admin = await box.token("operator", "--scope", "admin");
  for (const [path, operations] of Object.entries<Record<string, unknown>>(paths)) {
    for (const method of Object.keys(operations)) {
      // They end the token.
      if (path === "/logout" || path === "/rotate") continue;
      const body = method === "post" ? "{}" : undefined;
      const answer = await serving.send(method.toUpperCase(), path, admin, body);
      const text = await answer.text();
      assert.ok(answer.status < 500, `${method} ${path}: ${answer.status} ${text}`);
    }
  }
  assert.equal(await serving.status(serving.post("/rotate", {}, admin)), 200);
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
  const ring = await box.exec(copy, ["rotate", "--force", "--store", "keyring"]);
  assert.match(
    ring.stderr,
    /^error: Cannot use the keyring: there is none in this session\nhint: /,
  );
  // The second is no command line: what says so is gone too.
  for (const line of [["audit", "list"], ["rotate", "--at", "tomorrow"]]) {
    const { code, stdout, stderr } = await box.exec(copy, line);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^error: Cannot load the command: the executable was replaced\nhint: Run/);
    assert.doesNotMatch(stderr, /at file:|\n +at /);
  }
});
