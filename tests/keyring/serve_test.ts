import assert from "node:assert/strict";
import { REKEY } from "../support/process/box.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";
import { until } from "../support/timing/pause.ts";
import { childrenOf } from "../support/process/running.ts";
import { checkAlerts } from "../support/http/alerts.ts";
import { Serving } from "../support/http/serving.ts";

const code = async (response: Response) => (await response.json()).code;

/** Asks until the answer is the wanted one. */
async function eventually(ask: () => Promise<unknown>, wanted: unknown): Promise<void> {
  let answer: unknown;
  const otherwise = () => `never ${wanted}, at last ${answer}`;
  await until(async () => (answer = await ask()) === wanted, { every: 50, otherwise });
}

// For a server whose keyring is going to be stopped.
const BRIEFLY = { REKEY_KEYRING_TIMEOUT: "3s" };

Deno.test("a keyring that goes away while it is served is no outage", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  await using serving = await Serving.start(box, ["--workers", "2"]);
  const token = await box.token();
  assert.equal(await serving.auth(token), 204);
  // Each thread has the value by now: connections spread over them.
  await Promise.all(Array.from({ length: 20 }, () => serving.auth(token)));
  await box.lock();
  assert.equal(await serving.auth(token), 204);
  await box.kill();
  assert.equal(await serving.auth(token), 204);
  await box.unlock();
  await box.run(["rotate", "--force"]);
  assert.equal(await serving.auth(token), 401);
  assert.equal(await serving.auth(await box.token()), 204);
});

Deno.test("started with a locked keyring it says 503, and serves once that is unlocked", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const token = await box.token();
  await box.lock();
  await using serving = await Serving.start(box);
  const refused = await serving.get("/auth", token);
  assert.equal(refused.status, 503);
  assert.equal(await code(refused), "keyring_locked");
  assert.equal(refused.headers.get("www-authenticate"), null, "nothing is wrong with the token");
  const ready = await serving.get("/readyz");
  assert.equal(ready.status, 503);
  assert.equal(await code(ready), "keyring_locked");
  assert.equal(await serving.status(serving.get("/healthz")), 200);
  assert.equal(await serving.status(serving.post("/verify", { token })), 503);
  await serving.until(() => serving.stderr.includes("no secret: keyring_locked"));
  await box.unlock();
  await eventually(() => serving.auth(token), 204);
  await serving.until(() => serving.stderr.includes("the secret is available again"));
});

Deno.test("a keyring that never answers holds up only those who need it", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const token = await box.token();
  await using serving = await Serving.start(box, ["--workers", "1"], { env: BRIEFLY });
  box.stop();
  const waiting = serving.get("/auth", token);
  for (let i = 0; i < 20; i++) {
    assert.equal(await serving.status(serving.get("/healthz")), 200);
    assert.equal(await serving.auth("not.a.token"), 401);
  }
  const refused = await waiting;
  assert.equal(refused.status, 503);
  assert.match(await code(refused), /^keyring_/);
  box.cont();
  await eventually(() => serving.auth(token), 204);
});

Deno.test("more connections than select(2) can count harm no call of the keyring", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  await using serving = await Serving.start(box);
  const { hostname, port } = new URL(serving.url);
  const idle = await Promise.all(
    Array.from({ length: 1_500 }, () => Deno.connect({ hostname, port: Number(port) })),
  );
  for (let round = 0; round < 3; round++) {
    assert.equal(await serving.auth(await box.token()), 204);
    await box.run(["rotate", "--force"]);
  }
  idle.forEach((connection) => connection.close());
  assert.equal((await serving.stop()).code, 0);
});

Deno.test("many who wait for one value share one retrieval", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  await using serving = await Serving.start(box, ["--workers", "2"]);
  const token = await box.token();
  const before = (await box.json("stats")).retrieval.keyring.count;
  const all = Array.from({ length: 200 }, () => serving.auth(token));
  assert.deepEqual(new Set(await Promise.all(all)), new Set([204]));
  assert.equal((await serving.stop()).code, 0);
  const after = (await box.json("stats")).retrieval.keyring.count;
  assert.ok(after - before <= 4, `${after - before} retrievals`);
});

Deno.test("a rotation under load shuts no one out, nor does a keyring that is away briefly", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  await using serving = await Serving.start(box, ["--workers", "2"]);
  let [token, going] = [await box.token(), true];
  const clients = Array.from({ length: 40 }, async () => {
    while (going) await serving.auth(token);
  });
  for (let round = 0; round < 3; round++) {
    await box.run(["rotate", "--force"]);
    token = await box.token();
    assert.equal(await serving.auth(token), 204);
  }
  await box.lock();
  await box.run(["rotate", "--force", "--store", "database"]);
  going = false;
  await Promise.all(clients);
  await box.unlock();
  await eventually(async () => await serving.auth(await box.token()), 204);
});

Deno.test("a keyring that has hung once does not keep users out", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const password = "correct horse battery staple";
  await box.run(["user", "add", "alice"], { stdin: password });
  await using serving = await Serving.start(box, [], { env: BRIEFLY });
  const logIn = () => serving.status(serving.post("/login", { name: "alice", password }));
  box.stop();
  assert.equal(await logIn(), 503);
  box.cont();
  await eventually(logIn, 200);
});

Deno.test("the sealed copy serves when the keyring does not, and is counted as a fallback", async () => {
  await using box = await KeyringBox.start();
  const env = { REKEY_MIRROR: "on" };
  await box.run(["init"], { env });
  const token = await box.token();
  const metrics = async (serving: Serving) => await (await serving.get("/metrics")).text();
  const fine = await Serving.start(box, ["--workers", "1"], { env });
  const before = await metrics(fine);
  await fine.stop();
  await box.lock();
  await using serving = await Serving.start(box, [], { env });
  assert.equal(await serving.auth(token), 204);
  const after = await metrics(serving);
  assert.match(after, /^rekey_fallbacks_total [1-9]\d*$/m);
  const scraped = [{ instance: "one", at: Date.now() / 1000, before, after }];
  await checkAlerts(box, [{ alert: "RekeyFallbackUsed", scraped }]);
  const { fallback_rate } = await (await serving.get("/status.json")).json();
  assert.ok(fallback_rate > 0);
});

Deno.test("a server whose executable was replaced still gets a new version's value", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const own = `${box.home}/rekey`;
  await using serving = await Serving.start(box, [], {
    before: `cp "$0" ${own}; exec ${own} "$@"`,
  });
  assert.equal(await serving.auth(await box.token()), 204);
  Deno.removeSync(own);
  Deno.copyFileSync(REKEY, own);
  const { pid } = serving.process;
  // The process that talks to the keyring must be started once more.
  const children = childrenOf(pid);
  assert.ok(children.length > 0);
  for (const child of children) Deno.kill(child, "SIGKILL");
  await box.run(["rotate", "--force"]);
  const token = await box.token();
  await eventually(() => serving.auth(token), 204);
});
