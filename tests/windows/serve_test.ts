import assert from "node:assert/strict";
import { logIn, PASSWORD } from "../support/logging_in.ts";
import { Serving } from "../support/serving.ts";
import { onWindows } from "../support/windows/tests.ts";

onWindows("serve answers 204, and 401 after a rotation; users log in", async (box) => {
  await box.json("init");
  const added = await box.run(["user", "add", "alice"], { stdin: `${PASSWORD}\r\n` });
  assert.equal(added.code, 0, added.stderr);
  const old = await box.token();
  await using serving = await Serving.start(box, [], { rekey: box.rekey });
  assert.equal(await serving.auth(old), 204);
  assert.equal(await serving.auth("not.a.token"), 401);
  const { status, answer } = await logIn(serving);
  assert.equal(status, 200);
  assert.equal(await serving.auth(answer.token), 204);
  assert.equal((await logIn(serving, "alice", "a wrong password")).status, 401);
  await box.json("rotate", "--force");
  assert.equal(await serving.auth(old), 401);
  assert.equal(await serving.auth(answer.token), 401);
  assert.equal(await serving.auth(await box.token()), 204);
  assert.equal(await serving.status(serving.get("/healthz")), 200);
  assert.equal(await serving.status(serving.get("/metrics")), 200);
}, ["database"]);
