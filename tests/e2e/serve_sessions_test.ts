import assert from "node:assert/strict";
import { initialised } from "../support/process/initialised.ts";
import { logIn, PASSWORD } from "../support/http/logging_in.ts";
import { Serving } from "../support/http/serving.ts";
import { query } from "../support/store/sql.ts";
import { haveUsers } from "../support/store/users.ts";

Deno.test("a session: whoami, logout, and nothing of it in the log", async () => {
  using box = await initialised();
  await haveUsers(box, ["alice"]);
  await using serving = await Serving.start(box);
  const { answer: { token, jti, expires_at } } = await logIn(serving);
  const session = await (await serving.get("/session", token)).json();
  assert.deepEqual([session.sub, session.jti, session.expires_at], ["alice", jti, expires_at]);
  const { answer: { token: other } } = await logIn(serving);
  assert.equal(await serving.status(serving.post("/logout", {}, token)), 204);
  assert.equal(await serving.auth(token), 401);
  assert.equal(await serving.auth(other), 204, "another session of the same user goes on");
  const wrong = await logIn(serving, "alice", "not the password");
  assert.deepEqual([wrong.status, wrong.answer.code], [401, "bad_credentials"]);
  assert.equal(wrong.headers.get("www-authenticate"), 'Bearer realm="rekey"');

  assert.equal(await serving.status(serving.get(`/verify/${token}?token=${token}`)), 404);
  assert.equal((await serving.stop()).code, 0);
  const lines = serving.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ route, status }) => `${route} ${status}`),
    [
      ...["/login 200", "/session 200", "/login 200", "/logout 204", "/auth 401", "/auth 204"],
      ...["/login 401", "other 404"],
    ],
  );
  const written = serving.stdout + serving.stderr;
  for (const word of [token, token.split(".")[2], PASSWORD, "not the password", "alice", jti]) {
    assert.ok(!written.includes(word), "the log holds what a client wrote");
  }
});

Deno.test("sessions end by the command line as well", async () => {
  using box = await initialised();
  await haveUsers(box, ["alice"]);
  await using serving = await Serving.start(box);
  const { answer: { token } } = await logIn(serving);
  assert.equal(await serving.auth(token), 204);
  await box.run(["session", "revoke", "--user", "alice"]);
  assert.equal(await serving.auth(token), 401);
  const { answer } = await logIn(serving);
  await box.run(["user", "passwd", "alice"], { stdin: `${PASSWORD}!` });
  assert.equal(await serving.auth(answer.token), 401);
});

Deno.test("throttling survives a restart of the server", async () => {
  using box = await initialised();
  await haveUsers(box, ["alice"]);
  {
    await using serving = await Serving.start(box);
    await logIn(serving, "alice", "wrong wrong");
    assert.equal((await serving.stop()).code, 0);
  }
  // As many as make someone wait; each takes a second. On a slow machine the first waits would be over by now.
  const changed = query(
    box,
    "UPDATE rekey_throttle SET failures = failures + 14 WHERE failures = 1 AND kind = 'user' RETURNING name",
  );
  assert.equal(changed.length, 1);
  await using serving = await Serving.start(box);
  const { status, answer, headers } = await logIn(serving);
  assert.deepEqual([status, answer.code], [429, "throttled"]);
  assert.match(headers.get("retry-after")!, /^[1-9]\d*$/);
});
