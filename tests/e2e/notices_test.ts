import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { join } from "node:path";
import { Box, REKEY } from "../support/box.ts";
import { assertCivilRefusal } from "../support/faults.ts";
import { openSealed } from "../support/sealed.ts";

const ROTATE = ["rotate", "--force", "--reason", "a drill; $(touch x)"];

async function initialised(): Promise<Box> {
  const box = new Box();
  assert.equal((await box.run(["init"])).code, 0);
  return box;
}

async function versionOf(box: Box): Promise<number> {
  return (await box.json("status")).version;
}

async function noticesOf(box: Box): Promise<string[]> {
  const { stdout } = await box.run(["audit", "list", "--event", "notice", "--json"]);
  return stdout.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line).reason);
}

Deno.test("hooks are told what happens, and nothing secret", async () => {
  using box = await initialised();
  const { kid: oldKid } = await box.json("status");
  const old = await openSealed(box);
  const [before, after] = [join(box.home, "before"), join(box.home, "after")] as const;
  const { code, stdout, stderr } = await box.run([
    ...ROTATE,
    ...["--grace", "15m", "--json"],
    ...["--before", `env > ${before}; echo from before`, "--after", `env > ${after}`],
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /from before/);
  const answer = JSON.parse(stdout);
  const told = (path: string) =>
    Object.fromEntries(
      Deno.readTextFileSync(path).split("\n").filter((line) => line.startsWith("REKEY_ROTATION_"))
        .map((line) => line.slice("REKEY_ROTATION_".length).split(/=(.*)/s) as [string, string]),
    );
  assert.deepEqual(told(before), {
    APP: "agiworkforce",
    VERSION: "1",
    KID: oldKid,
    LOCATION: "database",
    REASON: "a drill; $(touch x)",
  });
  assert.deepEqual(told(after), {
    ...told(before),
    VERSION: "2",
    KID: answer.kid,
    PREVIOUS_VERSION: "1",
    PREVIOUS_KID: oldKid,
    GRACE_UNTIL: answer.grace_until,
  });
  const fresh = await openSealed(box);
  for (const path of [before, after]) {
    const text = Deno.readTextFileSync(path);
    assert.ok(!text.includes(old.value) && !text.includes(fresh.value));
  }
});

Deno.test("a --before that fails stops the rotation", async () => {
  using box = await initialised();
  for (const command of ["exit 3", "kill -9 $$", "kill -34 $$", "nothing-of-this-name"]) {
    const ended = await box.run([...ROTATE, "--before", `${command} 2>/dev/null`]);
    assertCivilRefusal(ended, [1]);
    assert.equal(await versionOf(box), 1);
  }
  assert.match((await noticesOf(box)).join("\n"), /--before ended with status 3/);
});

Deno.test("a --after that fails is said and written down, and undoes nothing", async () => {
  using box = await initialised();
  const { code, stderr } = await box.run([...ROTATE, "--after", "exit 4"]);
  assert.equal(code, 0);
  assert.match(stderr, /warning: The command of --after ended with status 4/);
  assert.equal(await versionOf(box), 2);
  const odd = await box.run([...ROTATE, "--after", "kill -34 $$"]);
  assert.equal(odd.code, 0);
  assert.match(odd.stderr, /warning: The command of --after was ended by signal 34/);
  assert.equal(await versionOf(box), 3);
  assert.deepEqual(await noticesOf(box), [
    "The command of --after ended with status 4",
    "The command of --after was ended by signal 34",
  ]);
});

Deno.test("hooks run only when something is rotated, and a hook may use rekey", async () => {
  using box = await initialised();
  const log = join(box.home, "log");
  const hooks = ["--before", `echo before >> ${log}`, "--after", `echo after >> ${log}`];
  await box.run([...ROTATE, ...hooks, "--if-older-than", "1d"]);
  assert.throws(() => Deno.statSync(log), Deno.errors.NotFound);
  await box.run([...ROTATE, ...hooks, "--request-id", "r1"]);
  await box.run([...ROTATE, ...hooks, "--request-id", "r1"]);
  assert.equal(Deno.readTextFileSync(log), "before\nafter\n");
  const folder = join(box.home, "elsewhere");
  const global = ["--app", "acme", "--data-dir", folder];
  await box.run(["init", ...global]);
  const copy = join(box.home, "copy.db");
  const { code, stderr } = await box.run([
    ...[...ROTATE, ...global, "--before", `'${REKEY}' backup ${copy}`],
    ...["--after", `'${REKEY}' status --json > ${log}`],
  ]);
  assert.equal(code, 0, stderr);
  assert.ok(Deno.statSync(copy).isFile);
  const { app, version } = JSON.parse(Deno.readTextFileSync(log));
  assert.deepEqual([app, version], ["acme", 2]);
});

/** A receiver that refuses a number of posts at first. */
function receiver(refusals = 0) {
  const posts: { headers: Headers; body: string }[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    posts.push({ headers: request.headers, body: await request.text() });
    return new Response(null, { status: posts.length <= refusals ? 503 : 204 });
  });
  const url = `http://127.0.0.1:${(server.addr as Deno.NetAddr).port}/hook`;
  return { posts, url, [Symbol.asyncDispose]: () => server.shutdown() };
}

function keyFile(box: Box, bytes = 32): [path: string, key: Uint8Array] {
  const key = crypto.getRandomValues(new Uint8Array(bytes));
  const path = join(box.home, "webhook.key");
  Deno.writeTextFileSync(path, `whsec_${key.toBase64()}\n`);
  return [path, key];
}

Deno.test("a notice is signed as Standard Webhooks describes, and tried again", async () => {
  using box = await initialised();
  await using taken = receiver(1);
  const [path, key] = keyFile(box);
  const args = ["--notify-url", taken.url, "--notify-key-file", path];
  const { code, stderr } = await box.run([...ROTATE, ...args]);
  assert.equal(code, 0, stderr);
  assert.equal(taken.posts.length, 2);
  const [first, { headers, body }] = taken.posts as [typeof taken.posts[0], typeof taken.posts[0]];
  const [id, time] = [headers.get("webhook-id"), headers.get("webhook-timestamp")];
  assert.equal(first!.headers.get("webhook-id"), id, "it is the same one");
  const signature = createHmac("sha256", key).update(`${id}.${time}.${body}`).digest("base64");
  assert.equal(headers.get("webhook-signature"), `v1,${signature}`);
  assert.ok(Math.abs(Date.now() / 1000 - Number(time)) < 60);
  const { type, data } = JSON.parse(body);
  assert.deepEqual([type, data.version, data.previous_version], ["rotation.completed", 2, 1]);
  assert.ok(!body.includes((await openSealed(box)).value));
});

Deno.test("a notice that nobody takes does not stop the rotation", async () => {
  using box = await initialised();
  await using taken = receiver(99);
  const [path] = keyFile(box);
  for (const url of [taken.url, "http://127.0.0.1:1/nobody"]) {
    const { code, stderr } = await box.run([
      ...[...ROTATE, "--notify-url", url, "--notify-key-file", path],
    ]);
    assert.equal(code, 0);
    assert.match(stderr, /warning: Nobody has taken the notice rotation\.completed/);
  }
  assert.equal(await versionOf(box), 3);
  assert.equal((await noticesOf(box)).length, 2);
});

Deno.test("a notice that could not be sent is refused before anything is changed", async () => {
  using box = await initialised();
  const [path] = keyFile(box);
  const short = join(box.home, "short.key");
  Deno.writeTextFileSync(short, "c2hvcnQ=");
  const bad: string[][] = [
    ["--notify-url", "http://example.com/hook", "--notify-key-file", path],
    ["--notify-url", "https://user:word@example.com/", "--notify-key-file", path],
    ["--notify-url", "file:///etc/passwd", "--notify-key-file", path],
    ["--notify-url", "not a url", "--notify-key-file", path],
    ["--notify-url", "https://example.com/"],
    ["--notify-url", "https://example.com/", "--notify-key-file", short],
    ["--notify-url", "https://example.com/", "--notify-key-file", join(box.home, "none")],
  ];
  for (const args of bad) assertCivilRefusal(await box.run([...ROTATE, ...args]), [2]);
  assert.equal(await versionOf(box), 1);
});

Deno.test("--at announces a rotation, and makes it then", async () => {
  using box = await initialised();
  await using taken = receiver();
  const [path] = keyFile(box);
  const token = await box.token();
  const args = ["--at", "3s", "--notify-url", taken.url, "--notify-key-file", path];
  const rotating = box.run([...ROTATE, ...args]);
  let announced = null;
  for (let i = 0; announced === null && i < 100; i++) {
    announced = (await box.json("status")).rotation_announced;
  }
  assert.ok(Date.parse(announced) > Date.now());
  assert.equal((await box.json("verify", token)).valid, true, "until then it verifies");
  const { code, stderr } = await rotating;
  assert.equal(code, 0, stderr);
  assert.ok(Date.now() >= Date.parse(announced));
  const { version, rotation_announced } = await box.json("status");
  assert.deepEqual([version, rotation_announced], [2, null]);
  const posts = taken.posts.map(({ body }) => JSON.parse(body));
  assert.deepEqual(posts.map(({ type }) => type), ["rotation.announced", "rotation.completed"]);
  assert.equal(posts[0].data.at, announced);
  assert.equal((await box.json("verify", token)).code, "retired_kid");
});

Deno.test("--at can be taken back, and nothing is changed", async () => {
  using box = await initialised();
  await using taken = receiver();
  const [path] = keyFile(box);
  const waiting = new Deno.Command(REKEY, {
    args: [...ROTATE, "--at", "1h", "--notify-url", taken.url, "--notify-key-file", path],
    clearEnv: true,
    env: { HOME: box.home },
    stdin: "null",
    stderr: "piped",
  }).spawn();
  while (taken.posts.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  // Posted before it waits.
  await new Promise((resolve) => setTimeout(resolve, 300));
  waiting.kill("SIGTERM");
  assert.equal((await waiting.output()).code, 1);
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
    assert.deepEqual(types, ["rotation.announced", "rotation.cancelled"]);
  }
  const { stdout } = await box.run(["audit", "list"]);
  assert.equal(stdout.match(/cancelled/g)?.length, 2, stdout);
  assert.equal(await versionOf(box), 1);
});

Deno.test("an announcement that nobody takes can be taken back before it is posted", async () => {
  using box = await initialised();
  const [path] = keyFile(box);
  using deaf = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${(deaf.addr as Deno.NetAddr).port}/`;
  const waiting = new Deno.Command(REKEY, {
    args: [...ROTATE, "--at", "1h", "--notify-url", url, "--notify-key-file", path],
    clearEnv: true,
    env: { HOME: box.home },
    stdin: "null",
    stderr: "piped",
  }).spawn();
  (await deaf.accept()).close();
  const { rotation_announced: before } = await box.json("status");
  waiting.kill("SIGTERM");
  assert.equal((await waiting.output()).code, 1);
  const { rotation_announced: after } = await box.json("status");
  assert.deepEqual([typeof before, after], ["string", null]);
});

Deno.test("a notice to this machine passes no proxy", async () => {
  using box = await initialised();
  await using taken = receiver();
  await using proxy = receiver();
  const [path] = keyFile(box);
  const env = { HTTP_PROXY: proxy.url, http_proxy: proxy.url };
  const args = [...ROTATE, "--notify-url", taken.url, "--notify-key-file", path];
  assert.equal((await box.run(args, { env })).code, 0);
  assert.deepEqual([taken.posts.length, proxy.posts.length], [1, 0]);
});

Deno.test("whoever is to be told is told, though nobody reads what rotate prints", async () => {
  using box = await initialised();
  const told = join(box.home, "told");
  const line = `"$0" rotate --force --after 'touch ${told}' > /dev/full`;
  const { code } = await box.exec("/bin/sh", ["-c", line, REKEY]);
  assert.equal(code, 1);
  assert.equal(await versionOf(box), 2);
  assert.ok(Deno.statSync(told).isFile);
});

Deno.test("a --after that fails while another program holds the database undoes nothing either", async () => {
  using box = await initialised();
  const held = join(box.home, "held");
  const hold = `/usr/bin/python3 -c 'import sqlite3, time
c = sqlite3.connect("${box.database}", isolation_level=None)
c.execute("BEGIN IMMEDIATE")
open("${held}", "w").close()
time.sleep(8)' >/dev/null 2>&1 &
while ! [ -e ${held} ]; do sleep 0.1; done
exit 4`;
  const { code, stderr } = await box.run([...ROTATE, "--after", hold]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /ended with status 4/);
  assert.equal(await versionOf(box), 2);
});
