import assert from "node:assert/strict";
import { join } from "node:path";
import { backUp } from "../../src/backup/backup.ts";
import { restore } from "../../src/backup/restore.ts";
import { Secret } from "../../src/core/secret.ts";
import { addDelivery } from "../../src/deliver/add.ts";
import { rotateWithDeliveries } from "../../src/deliver/rotation.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import type { Environment } from "../../src/store/environment.ts";
import { Installation } from "../../src/store/installation.ts";
import { takeLock } from "../../src/store/sqlite/lock.ts";
import { placePath } from "../../src/store/sqlite/turn.ts";
import { testEnvironment } from "../support/store/environment.ts";

const RSA = { alg: "RS256", bits: 2048 } as const;

/** A secret, and what happens while a key pair is made. */
async function watched() {
  const at = unmade();
  await at.secrets.getOrCreate({ store: "database" });
  return at;
}

/** The same without a secret. */
function unmade() {
  const environment = testEnvironment();
  const secrets = new SecretManager(environment);
  const { generatePair } = Secret;
  const watch = { made: 0, meanwhile: () => Promise.resolve() };
  Secret.generatePair = async (...how) => {
    watch.made++;
    await watch.meanwhile();
    return await generatePair.apply(Secret, how);
  };
  return {
    secrets,
    environment,
    watch,
    [Symbol.dispose]() {
      Secret.generatePair = generatePair;
      secrets.close();
      environment[Symbol.dispose]();
    },
  };
}

/** @throws when someone holds the locks of a change. */
function mustBeFree(environment: Environment) {
  const lock = Installation.prepareFolder(environment);
  for (const path of [lock, placePath(lock)]) takeLock(path, 0)[Symbol.dispose]();
  return Promise.resolve();
}

Deno.test("an RSA key is made while no lock is held", async () => {
  using at = await watched();
  const { installation } = await at.secrets.open();
  const path = join(at.environment.folders.data, "keys.json");
  const delivery = { name: "api", preset: "jwks", path, parameters: {}, force: false };
  await addDelivery(installation, delivery);
  at.watch.meanwhile = () => {
    takeLock(`${installation.database.path}.deliveries.lock`, 0)[Symbol.dispose]();
    return mustBeFree(at.environment);
  };
  const { version } = await at.secrets.rotate(RSA);
  assert.deepEqual([version.alg, version.bytes], ["RS256", 256]);
  const { changed } = await rotateWithDeliveries(at.secrets, { graceMs: 60_000 });
  assert.deepEqual([changed.version.alg, at.watch.made], ["RS256", 2]);
});

Deno.test("the first RSA key, and one for a lost secret, are made while no lock is held", async () => {
  using at = unmade();
  const { environment, secrets, watch } = at;
  watch.meanwhile = () => mustBeFree(environment);
  const { version, created } = await secrets.getOrCreate({ store: "database", ...RSA });
  assert.deepEqual([created, version.bytes, watch.made], [true, 256, 1]);
  assert.equal((await secrets.getOrCreate({ store: "database", ...RSA })).created, false);
  const path = join(environment.folders.data, "backup.db");
  await backUp(secrets, path, undefined);
  secrets.close();
  Deno.removeSync(environment.folders.config!, { recursive: true });
  const how = { force: true, newSecret: true, openers: () => Promise.resolve(undefined) };
  const { secretFrom, version: { alg, bytes } } = await restore(environment, path, how);
  assert.deepEqual([secretFrom, alg, bytes, watch.made], ["new", "RS256", 256, 2]);
});

Deno.test("a thread goes on with other work while it makes an RSA key", async () => {
  let turns = 0;
  const other = setInterval(() => turns++, 1);
  await Secret.generatePair(RSA.alg, RSA.bits);
  clearInterval(other);
  assert.ok(turns > 0);
});

Deno.test("no RSA key is made for a rotation that is not due, or that was made before", async () => {
  using at = await watched();
  await at.secrets.rotate({ ...RSA, requestId: "once" });
  assert.equal(at.watch.made, 1);
  for (const condition of [{ requestId: "once" }, { ifOlderThanMs: 3_600_000 }]) {
    assert.equal((await at.secrets.rotate({ ...RSA, ...condition })).rotated, false);
    await rotateWithDeliveries(at.secrets, { ...RSA, ...condition });
  }
  assert.equal(at.watch.made, 1);
});

Deno.test("an RSA key that is no longer wanted once the lock is held is not used", async () => {
  using at = await watched();
  await at.secrets.rotate(RSA);
  const other = new SecretManager(at.environment);
  at.watch.meanwhile = async () => {
    at.watch.meanwhile = () => Promise.resolve();
    await other.rotate({ alg: "HS256" });
  };
  const { version, previous } = await at.secrets.rotate();
  assert.deepEqual([version.alg, previous?.alg, at.watch.made], ["HS256", "HS256", 2]);
  other.close();
});
