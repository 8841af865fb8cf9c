import assert from "node:assert/strict";
import { join } from "node:path";
import { Box } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { keyFile, receiver, ROTATE, versionOf } from "../support/commands/notices.ts";
import { withOldSecret } from "../support/commands/scheduling.ts";

const DAILY = ["rotate", "--force", "--if-older-than", "90d", "--reason", "scheduled"];

/** Types and data of what was posted. */
function told(taken: ReturnType<typeof receiver>) {
  return taken.posts.splice(0).map(({ body }) => JSON.parse(body));
}

Deno.test("a rotation that fails says why to those who are told", async () => {
  using box = await initialised();
  await using taken = receiver();
  const args = ["--notify-url", taken.url, "--notify-key-file", keyFile(box)[0]];
  assert.equal((await box.run([...ROTATE, ...args, "--before", "exit 7"])).code, 1);
  const [{ type, data }] = told(taken);
  assert.equal(type, "rotation.failed");
  assert.deepEqual([data.version, data.code], [1, "failed"]);
  assert.match(data.error, /ended with status 7/);
  assert.ok(data.host !== "" && data.hint !== null);
  const { stdout } = await box.run(["audit", "list", "--json"]);
  assert.match(stdout, /JWT secret rotation failed/);
});

Deno.test("a rotation that is due and lacks its KEK is told as blocked", async () => {
  using box = new Box();
  await withOldSecret(box);
  await using taken = receiver();
  const args = ["--notify-url", taken.url, "--notify-key-file", keyFile(box)[0]];
  const env = { REKEY_KEK_COMMAND: "exit 3" };
  assert.equal((await box.run([...DAILY, ...args], { env })).code, 4);
  const [{ type, data }] = told(taken);
  assert.deepEqual([type, data.due, data.code], ["rotation.blocked", 1, "kek_missing"]);
  assert.equal((await box.run([...DAILY, ...args])).code, 0);
  assert.deepEqual(told(taken).map(({ type }) => type), ["rotation.completed"]);
});

Deno.test("the daily look says long before that a rotation would fail", async () => {
  using box = await initialised();
  await using taken = receiver();
  const args = ["--notify-url", taken.url, "--notify-key-file", keyFile(box)[0]];
  assert.equal((await box.run([...DAILY, ...args])).code, 0);
  const env = { REKEY_KEK_FILE: join(box.home, "unplugged") };
  const { code, stderr } = await box.run([...DAILY, ...args], { env });
  assert.equal(code, 5, stderr);
  assert.match(stderr, /warning: a rotation would fail now: .*unplugged/);
  assert.match(stderr, /error: Nothing to rotate yet, but a rotation would fail/);
  const [{ type, data }] = told(taken);
  assert.deepEqual([type, data.due, data.code], ["rotation.blocked", 0, "kek_missing"]);
  assert.equal(await versionOf(box), 1);
});

Deno.test("an announced rotation that could not be made now says so at once", async () => {
  using box = await initialised();
  await using taken = receiver();
  const args = ["--notify-url", taken.url, "--notify-key-file", keyFile(box)[0]];
  const env = { REKEY_KEK_COMMAND: "false" };
  const { code } = await box.run([...ROTATE, "--at", "1s", ...args], { env });
  assert.equal(code, 4);
  assert.ok(told(taken).some(({ type }) => type === "rotation.blocked"));
});

Deno.test("OnFailure= tells of a service that could not speak, and not twice of one that did", async () => {
  using box = await initialised();
  await using taken = receiver();
  const args = ["rotate", "--force", "--tell-failure", "--notify-url", taken.url];
  args.push("--notify-key-file", keyFile(box)[0]);
  const killed = {
    MONITOR_SERVICE_RESULT: "signal",
    MONITOR_EXIT_CODE: "killed",
    MONITOR_EXIT_STATUS: "KILL",
  };
  assert.equal((await box.run(args, { env: killed })).code, 0);
  const [{ type, data }] = told(taken);
  assert.equal(type, "rotation.failed");
  assert.match(data.error, /signal, killed with KILL/);
  const spoken = { MONITOR_EXIT_CODE: "exited", MONITOR_EXIT_STATUS: "4" };
  assert.equal((await box.run(args, { env: spoken })).code, 0);
  assert.deepEqual(told(taken), []);
  assert.equal(await versionOf(box), 1);
});
