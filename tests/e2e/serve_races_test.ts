import assert from "node:assert/strict";
import { join } from "node:path";
import type { Box } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { suspend } from "../support/process/running.ts";
import { connect, query } from "../support/store/sql.ts";
import { pause, until } from "../support/timing/pause.ts";
import { PASSWORD } from "../support/http/logging_in.ts";
import { Serving } from "../support/http/serving.ts";
import { haveUsers } from "../support/store/users.ts";
import { infoOf } from "../../src/system/files.ts";

const logIn = (serving: Serving, password = PASSWORD) =>
  serving.post("/login", { name: "alice", password });

/** Begins a login, and waits until its password is being hashed. */
async function begun(box: Box, serving: Serving) {
  const login = logIn(serving);
  const state = { login, isAnswered: false };
  login.finally(() => state.isAnswered = true).catch(() => {});
  const isCounted = () => query(box, "SELECT 1 FROM rekey_throttle").length > 0;
  await until(() => isCounted() || state.isAnswered);
  return state;
}

/** Whether anything can be written: a server that stands still may be in the middle of it. */
function isWritable(box: Box): boolean {
  using sqlite = connect(box, { timeout: 0 });
  try {
    sqlite.exec("BEGIN IMMEDIATE; ROLLBACK");
    return true;
  } catch {
    return false;
  }
}

/** What comes of a login while whose password is being hashed something is done. */
async function overtaken(box: Box, serving: Serving, work: () => Promise<void>) {
  const sessions = () => query(box, "SELECT 1 FROM rekey_sessions").length;
  for (;;) {
    const before = sessions();
    const { login } = await begun(box, serving);
    // However long the work takes, the server takes no step meanwhile.
    await suspend(serving.process.pid);
    const isInTime = sessions() === before && isWritable(box);
    if (isInTime) await work();
    serving.process.kill("SIGCONT");
    const answer = await login;
    if (isInTime) return answer;
    await answer.body?.cancel();
  }
}

Deno.test("a login that a removal overtakes gives no token", async () => {
  using box = await initialised();
  await box.run(["user", "add", "alice"], { stdin: PASSWORD });
  await using serving = await Serving.start(box);
  const removed = await overtaken(box, serving, async () => {
    assert.equal((await box.run(["user", "remove", "alice", "--force"])).code, 0);
  });
  assert.equal((await removed.json()).code, "bad_credentials");
});

Deno.test("a rotation over HTTP whose token was ended while its body came is refused", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box);
  const admin = await box.token("root", "--scope", "admin");
  const { hostname, port } = new URL(serving.url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const body = '{"reason":"by an ended token"}';
  const head = `POST /rotate HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${admin}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`;
  const send = (text: string) => connection.write(new TextEncoder().encode(text));
  const buffer = new Uint8Array(4_096);
  const read = async () =>
    new TextDecoder().decode(buffer.subarray(0, await connection.read(buffer) ?? 0));
  await send(head);
  // The server has verified the token and wants the body.
  assert.match(await read(), /^HTTP\/1\.1 100 /);
  await box.run(["rotate", "--force"]);
  await send(body);
  assert.match(await read(), /^HTTP\/1\.1 401 /);
  assert.equal((await box.json("status")).version, 2);
});

Deno.test("of many rotations with one token at a time, one is carried out", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box);
  const admin = await box.token("root", "--scope", "admin");
  const all = Array.from({ length: 8 }, () => serving.status(serving.post("/rotate", {}, admin)));
  assert.deepEqual((await Promise.all(all)).sort(), [200, ...Array(7).fill(401)]);
  assert.equal((await box.json("status")).version, 2);
});

Deno.test("the end of a user's sessions counts for one that a leeway would revive", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box);
  const token = await box.token("bob", "--ttl", "1s");
  await until(async () => (await box.run(["verify", token])).code !== 0, { every: 300 });
  const verdict = async () => await (await serving.post("/verdict", { token, leeway: 60 })).json();
  assert.equal((await verdict()).valid, true);
  await box.run(["session", "revoke", "--user", "bob"]);
  assert.equal((await verdict()).code, "revoked");
});

Deno.test("a restoration brings back neither removed users nor old passwords", async () => {
  using box = await initialised();
  await haveUsers(box, ["alice", "mallory"]);
  await box.run(["backup", "copy.db"]);
  await box.run(["user", "remove", "mallory", "--force"]);
  await box.run(["user", "passwd", "alice"], { stdin: `${PASSWORD}!` });
  await using serving = await Serving.start(box);
  assert.equal((await box.run(["restore", "copy.db", "--force"])).code, 0);
  const users = (await box.run(["user", "list", "--json"])).stdout;
  assert.doesNotMatch(users, /mallory/);
  assert.equal(await serving.status(logIn(serving)), 401);
  assert.equal(await serving.status(logIn(serving, `${PASSWORD}!`)), 200);
});

Deno.test("the page's data name no user", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box);
  await haveUsers(box, ["carol.smith"]);
  await box.run(["session", "revoke", "--user", "carol.smith"]);
  await box.run(["user", "remove", "carol.smith", "--force"]);
  const text = await (await serving.get("/status.json")).text();
  assert.match(text, /User removed/);
  assert.doesNotMatch(text, /carol/);
});

Deno.test("a log or a standard error that cannot be written to ends nothing", async () => {
  using box = await initialised();
  const token = await box.token();
  await using serving = await Serving.start(box, [], { before: "exec >/dev/full" });
  for (let i = 0; i < 20; i++) assert.equal(await serving.auth(token), 204);
  // A warning comes, and standard error is no longer read.
  await serving.deafen();
  await box.run(["destroy", "--force"]);
  assert.equal(await serving.auth(token), 503);
  await pause(1_500);
  assert.equal(await serving.auth(token), 503);
  assert.equal((await serving.stop()).code, 0);
});

Deno.test("of two servers on one Unix socket the second still has it after the first", async () => {
  using box = await initialised();
  const path = join(box.home, "s");
  await using first = await Serving.start(box, ["--unix", path]);
  // Else it may make its own again before the second one listens.
  first.process.kill("SIGSTOP");
  await Deno.remove(path);
  await using second = await Serving.start(box, ["--unix", path]);
  first.process.kill("SIGCONT");
  assert.equal((await first.stop()).code, 0);
  // The runtime removes the path of a socket that it closes, whoever's it is by then: the server makes its own again.
  await second.until(() => infoOf(path)?.isSocket === true);
  assert.equal((await second.stop()).code, 0);
});

Deno.test("an address that cannot be listened on is a usage error, not a bug", async () => {
  using box = await initialised();
  for (const args of [["--unix", "x".repeat(200)], ["--listen", "127.999.1.1:0"]]) {
    const { code, stderr } = await box.run(["serve", ...args]);
    assert.ok(code === 1 || code === 2, `${code}`);
    assert.doesNotMatch(stderr, /bug in rekey/);
  }
});

Deno.test("a login goes on in the database that is there, however often another takes its place", async () => {
  using box = await initialised();
  await box.run(["user", "add", "alice"], { stdin: PASSWORD });
  await using serving = await Serving.start(box);
  for (const times of [1, 2, 3]) {
    const { login } = await begun(box, serving);
    for (let n = 0; n < times; n++) {
      await Deno.copyFile(box.database, `${box.database}.new`);
      await Deno.rename(`${box.database}.new`, box.database);
      assert.equal(await serving.status(serving.get("/audit.json")), 200);
    }
    const response = await login;
    const { token } = await response.json();
    assert.equal(response.status, 200, `${times} times`);
    assert.equal(await serving.auth(token), 204);
  }
});
