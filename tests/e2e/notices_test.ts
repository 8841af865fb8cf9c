import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { join } from "node:path";
import { assertPlainRefusal } from "../support/faults/faults.ts";
import { initialised } from "../support/process/initialised.ts";
import { keyFile, noticesOf, receiver, ROTATE, versionOf } from "../support/commands/notices.ts";
import { openSealed } from "../support/store/sealed.ts";

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

Deno.test("a notice that no receiver takes does not stop the rotation", async () => {
  using box = await initialised();
  await using taken = receiver(99);
  const [path] = keyFile(box);
  for (const url of [taken.url, "http://127.0.0.1:1/closed"]) {
    const { code, stderr } = await box.run([
      ...[...ROTATE, "--notify-url", url, "--notify-key-file", path],
    ]);
    assert.equal(code, 0);
    assert.match(stderr, /warning: Cannot deliver the notice rotation\.completed to 127\.0\.0\.1:/);
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
  for (const args of bad) assertPlainRefusal(await box.run([...ROTATE, ...args]), { exits: [2] });
  assert.equal(await versionOf(box), 1);
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
