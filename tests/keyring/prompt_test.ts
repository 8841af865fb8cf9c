import assert from "node:assert/strict";
import { REKEY } from "../support/process/box.ts";
import { KeyringBox } from "../support/keyring/keyring_box.ts";
import { SilentPrompter } from "../support/keyring/silent_prompter.ts";

Deno.test("a keyring that waits to be unlocked is waited for as long as was asked", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const token = await box.token();
  await box.lock();
  using _prompter = await SilentPrompter.start(box.env.DBUS_SESSION_BUS_ADDRESS!);
  const commands = [["verify", token], ["issue", "--sub", "a"], ["rotate", "--force"]];
  for (const command of commands) {
    const env = { REKEY_KEYRING_TIMEOUT: "1s" };
    // A rekey that waits for ever is ended by `timeout`, with exit 124.
    const bounded = await box.exec("timeout", ["60", REKEY, ...command, "--json"], { env });
    assert.equal(bounded.code, 4, bounded.stderr);
    assert.equal(JSON.parse(bounded.stderr.split("\n")[0]!).error.code, "keyring_timeout");
  }
});
