import assert from "node:assert/strict";
import { Box } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { logIn, PASSWORD } from "../support/http/logging_in.ts";
import { Line } from "../support/http/raw_http.ts";
import { Serving } from "../support/http/serving.ts";
import { until } from "../support/timing/pause.ts";

Deno.test("the guide's integration test, over HTTP", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box);
  // 1. Create test user and authenticate
  assert.equal((await box.run(["user", "add", "alice"], { stdin: PASSWORD })).code, 0);
  const { status, answer: { token } } = await logIn(serving);
  assert.equal(status, 200);
  // 2. Verify token works
  assert.equal(await serving.auth(token), 204);
  // 3. Rotate secret
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
  // 4. Verify old token no longer works
  const refused = await serving.get("/auth", token);
  assert.equal(refused.status, 401);
  assert.equal((await refused.json()).code, "retired_kid");
  assert.match(refused.headers.get("www-authenticate")!, /^Bearer .*error="invalid_token"/);
  // 5. Verify new authentication succeeds
  const again = await logIn(serving);
  assert.equal(again.status, 200);
  assert.equal(await serving.auth(again.answer.token), 204);
});

Deno.test("a login whose body is not as it should be is told what is wrong, and not its values", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box);
  const details = [];
  for (
    const body of [
      { username: "alice", password: PASSWORD },
      { name: "alice", password: 7 },
      { name: "alice", password: PASSWORD, user: "alice" },
      "alice",
    ]
  ) {
    const refused = await serving.post("/login", body);
    assert.equal(refused.status, 400);
    details.push((await refused.json()).detail);
  }
  assert.deepEqual(details, [
    "Cannot use the body: name is missing",
    "Cannot use the body: password is of another type",
    "Cannot use the body: it has a member that is not known here",
    "Cannot use the body: it is of another type",
  ]);
});

Deno.test("a rotation over HTTP needs an admin's token, and ends it", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box);
  const [user, admin] = [await box.token(), await box.token("root", "--scope", "ops admin")];
  const refused = await serving.post("/rotate", {}, user);
  assert.equal(refused.status, 403);
  assert.match(refused.headers.get("www-authenticate")!, /insufficient_scope.*scope="admin"/);
  await refused.body?.cancel();
  const answer = await (await serving.post("/rotate", { reason: "drill", request_id: "a" }, admin))
    .json();
  assert.deepEqual([answer.version, answer.previous_version, answer.reason], [2, 1, "drill"]);
  assert.equal(await serving.auth(admin), 401);
  const { version, kid } = await box.json("status");
  assert.deepEqual([version, kid], [answer.version, answer.kid]);
  // The same request again, with a new token, answers with the rotation that it made.
  const next = await box.token("root", "--scope", "admin");
  const again = await (await serving.post("/rotate", { request_id: "a" }, next)).json();
  assert.deepEqual([again.version, again.rotated], [2, false]);
});

Deno.test("the status has the prepared version, and when it can be activated", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box);
  const shown = async () => (await (await serving.get("/status.json")).json()).prepared;
  assert.equal(await shown(), null);
  const { version, kid, alg, published_at, activatable_at } = await box.json(
    ...["rotate", "--prepare", "--alg", "ES256"],
  );
  // An answer is kept for a moment.
  await until(async () => await shown() !== null);
  const facts = { version, kid, alg, published_at, activatable_at };
  assert.deepEqual(await shown(), { ...facts, is_ready: false });
  await box.json("rotate", "--activate", "--force");
  await until(async () => await shown() === null);
  await box.json("rotate", "--prepare", "--alg", "HS512");
  await until(async () => (await shown()).is_ready);
});

Deno.test("a grace window lets the old token pass until it ends", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box);
  const token = await box.token();
  await box.run(["rotate", "--force", "--grace", "1h"]);
  assert.equal(await serving.auth(token), 204);
  await box.run(["revoke"]);
  assert.equal(await serving.auth(token), 401);
});

Deno.test("a database that is destroyed and made again under the server is noticed", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box);
  const token = await box.token();
  assert.equal(await serving.auth(token), 204);
  await box.run(["destroy", "--force"]);
  assert.equal(await serving.auth(token), 503);
  const { code, hint } = await serving.get("/readyz").then((r) => r.json());
  assert.equal(code, "not_initialised");
  assert.match(hint, /^If there was one, bring it back with `rekey restore`/);
  await box.run(["init"]);
  assert.equal(await serving.auth(token), 401);
  assert.equal(await serving.auth(await box.token()), 204);
});

Deno.test("a restored older secret verifies, what came after the backup does not", async () => {
  using box = await initialised();
  await box.run(["backup", "copy.db"]);
  const old = await box.token();
  await box.run(["rotate", "--force"]);
  await using serving = await Serving.start(box);
  const newer = await box.token();
  assert.deepEqual([await serving.auth(old), await serving.auth(newer)], [401, 204]);
  const { code, stderr } = await box.run(["restore", "copy.db", "--force"]);
  const { version } = await box.json("status");
  // Whatever the restoration made of it, the server says what the command line says.
  for (const token of [old, newer]) {
    const verdict = await box.run(["verify", token]);
    assert.equal(await serving.auth(token), verdict.code === 0 ? 204 : 401, `${code} ${stderr}`);
  }
  assert.equal((await serving.get("/status.json").then((r) => r.json())).version, version);
});

Deno.test("the page, its data and the metrics are compressed for a browser; errors and short answers never", async () => {
  using box = new Box();
  await box.run(["init", "--alg", "ES256"]);
  await using serving = await Serving.start(box);
  const encodingOf = async (path: string) => {
    using line = await Line.to(Number(new URL(serving.url).port));
    await line.say(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, br\r\n\r\n`);
    await until(() => line.heard.includes("\r\n\r\n"), { otherwise: path });
    return /\r\ncontent-encoding: (\w+)/i.exec(line.heard)?.[1];
  };
  const short = ["/auth", "/session", "/nowhere", "/healthz", "/.well-known/jwks.json"];
  for (const path of [...short, "/audit.json?bogus=1", "/history.json?period=x"]) {
    assert.equal(await encodingOf(path), undefined, path);
  }
  const files = ["/", "/page.css", "/page.js", "/uplot.css", "/uplot.js", "/openapi.json"];
  for (const path of [...files, "/status.json", "/audit.json", "/history.json", "/metrics"]) {
    assert.match(await encodingOf(path) ?? "", /^(gzip|br)$/, path);
  }
});
