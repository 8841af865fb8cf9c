import assert from "node:assert/strict";
import { KeyringBox } from "../support/keyring/keyring_box.ts";
import { SilentPrompter } from "../support/keyring/silent_prompter.ts";

const DAILY = ["rotate", "--force", "--if-older-than", "90d", "--json"];

/** What the daily look ends with. */
async function look(box: KeyringBox, env: Record<string, string> = {}, more: string[] = []) {
  const { code, stderr } = await box.run([...DAILY, ...more], { env });
  const lines = stderr.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line));
  const { error } = lines.find((line) => "error" in line) ?? {};
  return { code, warning: lines.find((line) => "warning" in line)?.warning, error };
}

Deno.test("the daily look finds a keyring that the rotation would not reach, and asks no one", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  assert.equal((await look(box)).code, 0);

  const none = await look(box, { DBUS_SESSION_BUS_ADDRESS: "" });
  assert.equal(none.code, 5);
  assert.match(none.warning, /a rotation would fail now: .*there is none in this session/);
  assert.equal(none.error.code, "check_failed");
  assert.match(none.error.hint, /DBUS_SESSION_BUS_ADDRESS/);

  await box.lock();
  {
    using _prompter = await SilentPrompter.start(box.env.DBUS_SESSION_BUS_ADDRESS!);
    // Had it been asked to unlock, no one would have answered.
    const locked = await look(box);
    assert.deepEqual([locked.code, locked.error.code], [5, "check_failed"]);
    assert.match(locked.warning, /it is locked/);
  }
  assert.equal((await look(box, {}, ["--store", "database"])).code, 0, "it is not needed");
  const { stdout } = await box.run(["audit", "list", "--json"]);
  assert.match(stdout, /JWT secret rotation blocked/);

  await box.unlock();
  assert.equal((await look(box)).code, 0);
  assert.equal((await box.json("status")).version, 1);
  await box.kill();
  assert.equal((await look(box)).code, 5);
});

Deno.test("schedule says now what will not reach the keyring", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  for (const args of [["cron"], ["systemd", "--system"]]) {
    const { code, stderr } = await box.run(["schedule", ...args]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /warning: the secret is in the keyring, which .* cannot reach/);
  }
  const { stderr } = await box.run(["schedule", "systemd", "--user"], {
    env: { XDG_RUNTIME_DIR: box.home },
  });
  assert.doesNotMatch(stderr, /cannot reach/);
});
