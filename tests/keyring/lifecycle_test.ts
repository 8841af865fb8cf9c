import assert from "node:assert/strict";
import { KeyringBox } from "../support/keyring/keyring_box.ts";
import { assertNowhere, spellings } from "../support/leaks/leaks.ts";
import { until } from "../support/timing/pause.ts";

Deno.test("init keeps 88 characters of base64 in the real keyring and nothing of it elsewhere", async () => {
  await using box = await KeyringBox.start();
  const ended = await box.run(["init"]);
  assert.equal(ended.code, 0, ended.stderr);
  const value = await box.lookup();
  assert.match(value ?? "", /^[A-Za-z0-9+/]{86}==$/);
  assert.deepEqual(await box.accounts(), ["agiworkforce.jwt_secret"]);
  assertNowhere(box, spellings(value!), ended.stdout, ended.stderr);
});

Deno.test("issue, verify, rotate: the old token is refused, a new one accepted", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const before = await box.lookup();
  const old = await box.token();
  assert.equal((await box.run(["verify", old])).code, 0);

  const rotated = await box.json("rotate", "--force", "--reason", "test");
  assert.deepEqual([rotated.version, rotated.previous_version, rotated.location], [
    2,
    1,
    "keyring",
  ]);
  const after = await box.lookup();
  assert.notEqual(after, before);
  assert.deepEqual(await box.accounts(), ["agiworkforce.jwt_secret"]);

  const refused = await box.json("verify", old);
  assert.deepEqual([refused.valid, refused.code], [false, "retired_kid"]);
  assert.equal((await box.run(["verify", old])).code, 3);
  assert.equal((await box.run(["verify", await box.token()])).code, 0);
  assertNowhere(box, spellings(before!));
  assertNowhere(box, spellings(after!));
});

Deno.test("a rotation without grace ends every older grace window too", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const first = await box.token();
  await box.run(["rotate", "--force", "--grace", "1h"]);
  const second = await box.token();
  await box.run(["rotate", "--force", "--grace", "1h"]);
  for (const token of [first, second]) assert.equal((await box.json("verify", token)).valid, true);
  await box.run(["rotate", "--force", "--reason", "emergency"]);
  for (const token of [first, second]) {
    assert.equal((await box.json("verify", token)).code, "retired_kid");
  }
  assert.deepEqual(await box.accounts(), ["agiworkforce.jwt_secret"]);
});

Deno.test("a grace window shorter than the longest session is warned about", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  await box.token("alice", "--ttl", "30d");
  const { stderr } = await box.run(["rotate", "--force", "--grace", "1m"]);
  assert.match(stderr, /warning: the grace window is shorter/);
});

Deno.test("two items under the secret's name are a finding of their own", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const attributes = [
    "service",
    "AGI Workforce",
    "username",
    "agiworkforce.jwt_secret",
    "extra",
    "x",
  ];
  await box.exec("secret-tool", ["store", "--label=x", ...attributes], { stdin: "other" });
  const { code, stderr } = await box.run(["status", "--json"]);
  assert.deepEqual([code, JSON.parse(stderr).error.code], [4, "keyring_ambiguous"]);
});

Deno.test("an unpacked addon that was changed is not loaded but unpacked again", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const isAddon = (path: string) => path.endsWith(".node");
  const [path, addon] = [...box.files()].find(([path]) => isAddon(path))!;
  const changed = addon.slice();
  changed[changed.length >> 1]! ^= 1;
  Deno.writeFileSync(path, changed);
  // What is there and unlocked is read without it.
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
  assert.deepEqual(Deno.readFileSync(path), addon);
});

Deno.test("destroy leaves alone what was never adopted", async () => {
  await using box = await KeyringBox.start();
  const value = `${"A".repeat(86)}==`;
  await box.store(value);
  assert.equal((await box.json("destroy", "--force")).destroyed, false);
  assert.equal(await box.lookup(), value);
});

Deno.test("ten at once make one secret in the keyring", async () => {
  await using box = await KeyringBox.start();
  const ended = await Promise.all(Array.from({ length: 10 }, () => box.run(["init", "--json"])));
  const kids = new Set(ended.map(({ stdout, stderr }) => {
    assert.notEqual(stdout, "", stderr);
    return JSON.parse(stdout).kid;
  }));
  assert.equal(kids.size, 1);
  assert.deepEqual(await box.accounts(), ["agiworkforce.jwt_secret"]);
});

Deno.test("another data folder does not take over the secret that the default one manages", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const value = await box.lookup();
  const elsewhere = ["--data-dir", `${box.home}/elsewhere`];
  const { code, stderr } = await box.run([...elsewhere, "init", "--json"]);
  assert.deepEqual([code, JSON.parse(stderr).error.code], [4, "secret_claimed"]);
  const own = await box.json(...elsewhere, "init", "--store", "database");
  assert.equal(own.location, "database");
  await box.run([...elsewhere, "rotate", "--force"]);
  await box.run([...elsewhere, "destroy", "--force"]);
  assert.equal(await box.lookup(), value);
  assert.equal((await box.json("status")).version, 1);
});

Deno.test("a grace window keeps both values, the older one under its number", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  const before = await box.lookup();
  const old = await box.token();
  const { grace_until } = await box.json("rotate", "--force", "--grace", "8s");
  const [value, { version }, { grace: [{ version: inGrace } = {}] }] = [
    await box.lookup("agiworkforce.jwt_secret.v1"),
    await box.json("verify", old),
    await box.json("status"),
  ];
  // Else the machine has stood still, and the window is over.
  if (Date.now() < Date.parse(grace_until)) {
    assert.deepEqual([value, version, inGrace], [before, 1, 1]);
  }
  await until(async () => (await box.json("verify", old)).code === "retired_kid");
  assert.deepEqual(await box.accounts(), ["agiworkforce.jwt_secret"]);
});

Deno.test("destroy leaves nothing in the keyring and no file but the empty locks", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init"]);
  await box.run(["rotate", "--force", "--grace", "1h"]);
  assert.equal((await box.accounts()).length, 2);
  assert.equal((await box.run(["destroy", "--force"])).code, 0);
  assert.deepEqual(await box.accounts(), []);
  const left = [...box.files().keys()].filter((path) => /agiworkforce/.test(path));
  assert.deepEqual(left.sort(), [`${box.database}.lock`, `${box.database}.turn.lock`]);
});
