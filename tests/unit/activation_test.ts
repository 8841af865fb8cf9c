import assert from "node:assert/strict";
import { isRekeyError } from "../../src/core/errors.ts";
import type { StoreChoice } from "../../src/store/environment.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { FakeKeyring } from "../support/keyring/fake_keyring.ts";
import { testEnvironment } from "../support/store/environment.ts";

Deno.test("a version is prepared where --store says, and becomes the current one there", async () => {
  const keyring = new FakeKeyring();
  using environment = testEnvironment(() => keyring.addon());
  const secrets = new SecretManager(environment);
  assert.equal((await secrets.getOrCreate()).version.location, "keyring");
  const prepare = (store?: StoreChoice) =>
    secrets.underLock((installation, backend, _turn, note) =>
      backend.prepare(installation, { store, reason: null, usage: {} }, note)
    );
  assert.equal((await prepare("database")).version.location, "database");
  assert.equal((await prepare()).made, false);
  const isRefused = (error: unknown) =>
    isRekeyError(error, "failed") && /version 2 .*is prepared in the database/.test(error.message);
  await assert.rejects(prepare("keyring"), isRefused);
  const { version } = await secrets.underLock((installation, backend, _turn, note) =>
    backend.activate(installation, {}, note)
  );
  assert.deepEqual([version.version, version.location], [2, "database"]);
  assert.deepEqual(keyring.values, []);
  secrets.close();
});

Deno.test("whoever comes second to activate a version learns that it is active; without one it is an error", async () => {
  const keyring = new FakeKeyring();
  using environment = testEnvironment(() => keyring.addon());
  const secrets = new SecretManager(environment);
  await secrets.getOrCreate();
  const order = { reason: null, usage: { alg: "ES256" } } as const;
  const { version: { kid } } = await secrets.underLock((installation, backend, _turn, note) =>
    backend.prepare(installation, order, note)
  );
  const activate = (wanted?: string) =>
    secrets.underLock((installation, backend, _turn, note) =>
      backend.activate(installation, { wanted, graceMs: 60_000, force: true }, note)
    );
  const first = await activate(kid);
  assert.deepEqual([first.rotated, first.version.kid], [true, kid]);
  const second = await activate(kid);
  assert.deepEqual([second.rotated, second.version.kid], [false, kid]);
  assert.deepEqual(
    [second.previous?.version, second.graceUntil],
    [first.previous?.version, first.graceUntil],
  );
  const isRefused = (error: unknown) => isRekeyError(error, "failed");
  for (const wanted of [undefined, "another"]) await assert.rejects(activate(wanted), isRefused);
  secrets.close();
});
