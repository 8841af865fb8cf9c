import assert from "node:assert/strict";
import { decodeProtectedHeader } from "jose";
import { ACCOUNT, KeyringBox } from "../support/keyring/keyring_box.ts";
import { WALLETS } from "../support/keyring/wallets/wallet.ts";
import { WalletBox } from "../support/keyring/wallets/wallet_box.ts";
import type { Box } from "../support/process/box.ts";
import { ageFlags, removeDatabase } from "../support/store/backing_up.ts";
import { sql } from "../support/store/sql.ts";
import { kidOfValue } from "../support/store/values.ts";
import { sample } from "../support/process/sample.ts";

// deno-lint-ignore no-explicit-any
async function done(box: Box, ...args: string[]): Promise<any> {
  const { code, stdout, stderr } = await box.run([...args, "--json"]);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return JSON.parse(stdout || "{}");
}

async function assertAllVerify(box: Box, tokens: readonly string[]): Promise<void> {
  for (const token of tokens) assert.equal((await box.json("verify", token)).valid, true);
}

/** Code of a command's refusal. */
async function refusal(box: Box, ...args: string[]): Promise<string> {
  const { code, stderr } = await box.run([args[0]!, "--json", ...args.slice(1)]);
  assert.equal(code, 4, stderr);
  return JSON.parse(stderr.trim().split("\n").at(-1)!).error.code;
}

for (const name of sample(WALLETS, 4)) {
  Deno.test(`${name}: the largest key pair, a secret and a key pair of a curve, from init to destroy`, async () => {
    await using box = await WalletBox.start(name);
    const { kid, location } = await done(box, "init", "--alg", "RS256", "--bits", "4096");
    const value = await box.lookup() ?? "";
    assert.equal(location, "keyring");
    assert.ok(value.length > 3_100, `${value.length} characters`);
    assert.equal(kidOfValue(value), kid);
    const tokens = [await box.token()];
    for (const alg of ["HS512", "ES384"]) {
      await done(box, "rotate", "--force", "--alg", alg, "--grace", "1h");
      tokens.push(await box.token());
    }
    const accounts = [ACCOUNT, `${ACCOUNT}.v1`, `${ACCOUNT}.v2`];
    assert.deepEqual(await box.accounts(), accounts);
    assert.equal(await box.lookup(`${ACCOUNT}.v1`), value);
    await assertAllVerify(box, tokens);

    await done(box, "store", "move", "database");
    assert.deepEqual(await box.accounts(), []);
    await done(box, "kek", "rotate");
    await assertAllVerify(box, tokens);
    await done(box, "store", "move", "keyring");
    assert.deepEqual(await box.accounts(), accounts);
    assert.equal(await box.lookup(`${ACCOUNT}.v1`), value);
    await assertAllVerify(box, tokens);
    assert.equal((await done(box, "doctor")).healthy, true);

    await done(box, "destroy", "--force");
    assert.deepEqual(await box.accounts(), []);
  });
}

Deno.test("a backup brings a key pair back into the keyring, with its tokens", async () => {
  await using box = await KeyringBox.start();
  const { kid } = await done(box, "init", "--alg", "PS256");
  const token = await box.token();
  const age = await ageFlags(box);
  await done(box, "backup", "b", "--with-secret", ...age.seal);
  await done(box, "destroy", "--force");
  const restored = await done(box, "restore", "b", ...age.open);
  assert.deepEqual([restored.kid, restored.location], [kid, "keyring"]);
  assert.equal(kidOfValue(await box.lookup() ?? ""), kid);
  await assertAllVerify(box, [token]);
});

Deno.test("a lost database: the key pair in the keyring goes on with its own algorithm, and so does the next one", async () => {
  await using box = await KeyringBox.start();
  const { kid } = await done(box, "init", "--alg", "PS384");
  const token = await box.token();
  removeDatabase(box);
  const refused = await box.run(["init", "--alg", "HS256"]);
  assert.equal(refused.code, 2, refused.stderr);
  assert.match(refused.stderr, /Cannot use the value for HS256: it is a key for/);
  assert.deepEqual([...box.files().keys()].filter((path) => path.endsWith(".db")), []);

  const adopted = await done(box, "init");
  assert.equal(adopted.kid, kid);
  assert.equal((await done(box, "status")).alg, "PS384");
  await assertAllVerify(box, [token]);
  await done(box, "rotate", "--force", "--grace", "1h");
  const { alg, grace } = await done(box, "status");
  assert.deepEqual([alg, grace.length], ["PS384", 1]);
  await assertAllVerify(box, [token]);
});

Deno.test("a lost database: tokens keep the kid that an imported key had before", async () => {
  await using box = await KeyringBox.start();
  await done(box, "init", "--alg", "ES256");
  await done(box, "store", "move", "database");
  sql(box, "UPDATE rekey_versions SET token_kid = 'since-2019'");
  const token = await box.token();
  await done(box, "store", "move", "keyring");
  removeDatabase(box);
  await done(box, "init");
  assert.equal(decodeProtectedHeader(token).kid, "since-2019");
  assert.equal(decodeProtectedHeader(await box.token()).kid, "since-2019");
  await assertAllVerify(box, [token]);
});

for (const [before, after] of [["HS512", "PS256"], ["ES256", "HS256"]] as const) {
  Deno.test(`a backup with ${before} finds the newer ${after} in the keyring`, async () => {
    await using box = await KeyringBox.start();
    await done(box, "init", "--alg", before);
    await done(box, "backup", "b");
    const { kid } = await done(box, "rotate", "--force", "--alg", after);
    const token = await box.token();
    removeDatabase(box);
    assert.equal((await done(box, "restore", "b")).kid, kid);
    assert.equal((await done(box, "status")).alg, after);
    await assertAllVerify(box, [token]);
    await done(box, "rotate", "--force");
    assert.equal((await done(box, "status")).alg, after);
  });
}

Deno.test("the entry of a key pair with another pair, a secret or a damaged key in it is refused", async () => {
  await using box = await KeyringBox.start();
  await done(box, "init", "--alg", "ES256");
  const first = await box.lookup() ?? "";
  await done(box, "rotate", "--force");
  const own = await box.lookup() ?? "";
  const secret = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(64))));
  const half = own.slice(0, -40);
  const cases = [[first, "secret_mismatch"], [secret, "secret_mismatch"], [half, "secret_damaged"]];
  for (const [value, code] of cases as [string, string][]) {
    await box.store(value);
    assert.equal(await refusal(box, "issue", "--sub", "a"), code);
    assert.equal(await refusal(box, "exec", "--env", "SECRET", "--", "true"), code);
    assert.equal((await box.run(["doctor"])).code, 5);
  }
  await box.store(own);
  await assertAllVerify(box, [await box.token()]);
});

Deno.test("the entry of a secret with a key pair in it is refused", async () => {
  await using box = await KeyringBox.start();
  await done(box, "init", "--alg", "ES256");
  const pair = await box.lookup() ?? "";
  await done(box, "rotate", "--force", "--alg", "HS256");
  await box.store(pair);
  assert.equal(await refusal(box, "issue", "--sub", "a"), "secret_mismatch");
});
