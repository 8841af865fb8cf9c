import assert from "node:assert/strict";
import { examined, found } from "../support/commands/doctor.ts";
import { ACCOUNT, KeyringBox, SERVICE } from "../support/keyring/keyring_box.ts";
import type { FindingCode } from "../../src/doctor/findings.ts";
import { sql } from "../support/store/sql.ts";

async function initialised(env: Record<string, string> = {}): Promise<KeyringBox> {
  const box = await KeyringBox.start();
  assert.equal((await box.run(["init"], { env })).code, 0);
  return box;
}

Deno.test("doctor: a secret in a keyring that answers is healthy", async () => {
  await using box = await initialised();
  assert.deepEqual(await examined(box), { healthy: true, findings: [], fixed: [] });
});

const AWAY: [FindingCode, (box: KeyringBox) => void | Promise<void>][] = [
  ["keyring_absent", (box) => box.kill()],
  ["keyring_locked", (box) => box.lock()],
  ["keyring_timeout", (box) => box.stop()],
];

for (const [code, provoke] of AWAY) {
  Deno.test(`doctor: ${code}, and in order again afterwards`, async () => {
    await using box = await initialised();
    await provoke(box);
    await found(box, code);
    box.cont();
    await box.unlock();
    assert.ok((await examined(box)).healthy);
  });
}

Deno.test("doctor: a session without a bus says how it was entered", async () => {
  await using box = await initialised();
  const without = (env: Record<string, string>) =>
    found(box, "bus_missing", [], { env: { DBUS_SESSION_BUS_ADDRESS: "", ...env } });
  assert.match((await without({ SUDO_USER: "alice" })).why, /sudo/);
  assert.match((await without({ SSH_CONNECTION: "1.2.3.4 5 6.7.8.9 22" })).why, /ssh|passed/);
  assert.match((await without({ INVOCATION_ID: "ab".repeat(16) })).why, /systemd|passed/);
});

Deno.test("doctor: a bus that must not be trusted is found", async () => {
  await using box = await initialised();
  const env = { DBUS_SESSION_BUS_ADDRESS: "tcp:host=localhost,port=1" };
  await found(box, "keyring_failed", [], { env });
});

Deno.test("doctor: a bus that refuses every question is found", async () => {
  await using box = await initialised();
  await using denying = await KeyringBox.start("denying_bus.conf");
  await found(box, "keyring_denied", [], { env: denying.env });
});

Deno.test("doctor: two items for one secret are found", async () => {
  await using box = await initialised();
  const { stdout } = await box.exec("secret-tool", ["lookup", "service", SERVICE]);
  await box.exec("secret-tool", [
    ...["store", "--label=another", "service", SERVICE, "username", ACCOUNT, "extra", "1"],
  ], { stdin: stdout });
  await found(box, "keyring_ambiguous");
});

Deno.test("doctor: a keyring value that was deleted or replaced is found", async () => {
  await using box = await initialised();
  const value = await box.lookup();
  await box.clear();
  await found(box, "secret_missing");
  await box.store(`${"A".repeat(86)}==`);
  await found(box, "secret_mismatch");
  await box.store(value!);
  assert.ok((await examined(box)).healthy);
});

Deno.test("doctor: a keyring that is not used is found", async () => {
  await using box = await KeyringBox.start();
  await box.kill();
  await box.run(["init"]);
  assert.deepEqual((await examined(box)).findings, []);
  await box.unlock();
  const finding = await found(box, "keyring_unused");
  assert.equal(finding.command, "rekey store move keyring");
  await box.run(["store", "move", "keyring"]);
  assert.deepEqual((await examined(box)).findings, []);
});

Deno.test("doctor: a keyring that is not used and is locked is not said to be available", async () => {
  await using box = await initialised();
  await box.lock();
  assert.equal((await box.run(["rotate", "--force", "--store", "database"])).code, 0);
  const { what, why } = await found(box, "keyring_unused");
  assert.match(what, /and there is a keyring, which cannot be used now$/);
  assert.match(why, /locked.*`rekey store move keyring`, once it can be used/);
  const unfinished = await found(box, "unfinished");
  assert.match(unfinished.why, /keyring items wait until it can be used/);
});

Deno.test("doctor: a sealed copy that was used, or is damaged, is found", async () => {
  const env = { REKEY_MIRROR: "on" };
  await using box = await initialised(env);
  await box.lock();
  await box.run(["status"], { env });
  await box.unlock();
  await found(box, "fallback_used");
  sql(box, "UPDATE settings SET value = substr(value, 1, 200) || 'A' || substr(value, 202)");
  await found(box, "mirror_damaged");
});
