import assert from "node:assert/strict";
import { logIn, PASSWORD } from "../support/http/logging_in.ts";
import { Serving } from "../support/http/serving.ts";
import { onWindows, WITHOUT_CONSOLE } from "../support/windows/tests.ts";

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
  for (const path of ["/healthz", "/readyz", "/metrics"]) {
    assert.equal(await serving.status(serving.get(path)), 200, path);
  }
  assert.doesNotMatch(serving.stderr, /no secret/);
});

onWindows(
  "serve ends by Ctrl-C with status 0, and leaves no process",
  async (box, location) => {
    await box.json("init");
    const token = await box.token();
    await using serving = await Serving.start(box, [], { rekey: box.rekeyInConsole });
    assert.equal(await serving.auth(token), 204);
    assert.equal(await box.running("rekey.exe"), location === "keyring" ? 2 : 1);
    const { code } = await serving.stop("SIGINT");
    assert.equal(code, 0, serving.stderr);
    await box.untilRunning("rekey.exe", 0);
  },
  undefined,
  WITHOUT_CONSOLE,
);

onWindows("no destroy beside serve; terminated it takes its helper with it", async (box) => {
  await box.json("init");
  const token = await box.token();
  await using serving = await Serving.start(box, [], { rekey: box.rekey });
  assert.equal(await serving.auth(token), 204);
  const refused = await box.run(["destroy", "--force"]);
  assert.equal(refused.code, 4, refused.stderr);
  assert.match(refused.stderr, /another program has it open\nhint: Nothing was changed/);
  assert.equal(await serving.auth(token), 204);
  assert.equal(await box.running("rekey.exe"), 2);
  await serving.stop("SIGKILL");
  await box.untilRunning("rekey.exe", 0);
  assert.equal((await box.json("verify", token)).valid, true);
  const destroyed = await box.run(["destroy", "--force"]);
  assert.equal(destroyed.code, 0, destroyed.stderr);
  assert.deepEqual(await box.credentials(), []);
}, ["keyring"]);
