import assert from "node:assert/strict";
import { generateIdentity, identityToRecipient } from "age-encryption";
import { backUp } from "../../src/backup/backup.ts";
import { restore } from "../../src/backup/restore.ts";
import { PAIR_ALGORITHMS } from "../../src/core/algorithms.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { longestPairText } from "../../src/core/key_pair.ts";
import { Secret, SHAPE_ENCODINGS } from "../../src/core/secret.ts";
import { longestValue } from "../../src/secret/next_use.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { planRotation } from "../../src/secret/next_rotation.ts";
import { KeyringStore } from "../../src/store/keyring/keyring_store.ts";
import { keyringPlatform } from "../../src/store/keyring/platform.ts";
import { FakeKeyring } from "../support/keyring/fake_keyring.ts";
import { THOROUGH } from "../support/process/sample.ts";
import { testEnvironment } from "../support/store/environment.ts";

// Under Wine, tests/windows/key_pairs_test.ts has the real one.
const { longestValue: LONGEST } = keyringPlatform("windows", () => {
  throw new Error("This system has no session bus");
});

const isTooLong = (error: unknown) =>
  isRekeyError(error, "usage") && /keyring holds 1280/.test(error.message) &&
  /--store database.*--alg ES256/.test(error.hint ?? "");

function smallKeyring() {
  const keyring = new FakeKeyring();
  const environment = testEnvironment();
  const store = new KeyringStore(environment.app, () => keyring.addon(), 200, {
    longestValue: LONGEST,
  });
  const small = { ...environment, keyring: store };
  const manager = new SecretManager(small);
  const close = () => {
    manager.close();
    environment[Symbol.dispose]();
  };
  return { keyring, environment: small, manager, [Symbol.dispose]: close };
}

Deno.test("a value that the keyring cannot hold goes to the database, and the next that fits comes back", async () => {
  using small = smallKeyring();
  const { keyring, manager } = small;
  await manager.getOrCreate({ alg: "RS256" });
  assert.equal((await manager.get()).version.location, "database");
  assert.deepEqual(keyring.values, []);
  const rotated = await manager.rotate({ alg: "ES512", graceMs: 60_000 });
  assert.equal(rotated.version.location, "keyring");
  assert.equal(keyring.values.length, 1);
  const plan = await planRotation(await manager.open(), { alg: "RS256" });
  assert.equal(plan.location, "database");
  assert.equal((await manager.rotate({ alg: "RS256" })).version.location, "database");
  assert.deepEqual(keyring.values, []);
});

Deno.test("a value that the keyring cannot hold is refused before anything is written when it must be there", async () => {
  using small = smallKeyring();
  const { keyring, manager } = small;
  await assert.rejects(manager.getOrCreate({ alg: "RS256", store: "keyring" }), isTooLong);
  assert.deepEqual(keyring.values, []);
  await manager.getOrCreate({ alg: "ES256", store: "keyring" });
  const before = keyring.values;
  await assert.rejects(manager.rotate({ alg: "RS256", bits: 4096 }), isTooLong);
  assert.deepEqual(keyring.values, before);
  const { version, installation } = await manager.open();
  assert.deepEqual([version.version, installation.versions.every().length], [1, 1]);

  await manager.rotate({ alg: "RS256", store: "database", graceMs: 60_000 });
  await assert.rejects(manager.move("keyring"), isTooLong);
  const { version: moved } = await manager.get();
  assert.deepEqual([moved.alg, moved.location], ["RS256", "database"]);
});

Deno.test("a restored secret that the keyring cannot hold stays in the database, and why is said", async () => {
  const identity = await generateIdentity();
  const recipients = [await identityToRecipient(identity)];
  const path = Deno.makeTempFileSync({ prefix: "rekey-test-" });
  Deno.removeSync(path);
  {
    using source = testEnvironment();
    const manager = new SecretManager(source);
    await manager.getOrCreate({ alg: "ES256", store: "database" });
    const order = { reason: null, usage: { alg: "RS256" } } as const;
    await manager.underLock((installation, backend, _turn, note) =>
      backend.prepare(installation, order, note)
    );
    await backUp(manager, path, { recipients });
    manager.close();
  }
  using small = smallKeyring();
  const openers = () => Promise.resolve({ identities: [identity] });
  const how = { force: false, newSecret: false, store: "keyring", openers } as const;
  const { version, notInKeyring } = await restore(small.environment, path, how);
  Deno.removeSync(path);
  assert.deepEqual([version.alg, version.location], ["ES256", "database"]);
  assert.ok(isTooLong(notInKeyring), String(notInKeyring));
  assert.deepEqual(small.keyring.values, []);
});

Deno.test("no generated value is longer than it is expected to be", async () => {
  // The keys of RSA's other hashes are of the same kind, and take long to make.
  for (const alg of PAIR_ALGORITHMS.filter((one) => THOROUGH || !/^[RP]S(384|512)$/.test(one))) {
    for (const bits of alg.startsWith("RS") ? [2048, 3072] : [2048]) {
      const { length } = (await Secret.generatePair(alg, bits)).reveal();
      const longest = longestPairText(alg, bits / 8);
      assert.ok(length <= longest, `${alg} ${bits}: ${length} of ${longest}`);
      if (alg.startsWith("RS")) assert.ok(longest < 1.05 * length, `${longest} for ${length}`);
    }
  }
  for (const encoding of SHAPE_ENCODINGS) {
    for (const bytes of [32, 64, 256]) {
      const { length } = Secret.generate({ bytes, encoding }).reveal();
      assert.ok(length <= longestValue({ alg: "HS256", bytes, encoding }), `${encoding} ${bytes}`);
    }
  }
});
