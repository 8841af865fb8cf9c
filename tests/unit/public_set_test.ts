import assert from "node:assert/strict";
import { isRekeyError } from "../../src/core/errors.ts";
import { Secret } from "../../src/core/secret.ts";
import { sealedSlot } from "../../src/core/location.ts";
import type { Algorithm } from "../../src/core/algorithms.ts";
import { LivePublicSet, readPublicSet } from "../../src/secret/public_set.ts";
import { retrieve } from "../../src/secret/retrieve.ts";
import { LiveSecrets } from "../../src/secret/live_secrets.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { testEnvironment } from "../support/store/environment.ts";
import { sql } from "../support/store/sql.ts";

/** A manager and the set of a server beside it. */
async function beside(alg: Algorithm) {
  const environment = testEnvironment();
  const manager = new SecretManager(environment);
  await manager.getOrCreate({ alg });
  const fetched: number[] = [];
  const live: LiveSecrets = new LiveSecrets(environment, async (version) => {
    fetched.push(version.version);
    return (await retrieve(live.view().installation, version, () => {})).secret;
  });
  const served = new LivePublicSet(live);
  return {
    environment,
    manager,
    live,
    fetched,
    /** The numbers of the versions in the set, and for how long it may be kept. */
    async now() {
      const { set, maxAge } = await served.now();
      const { installation } = live.view();
      const of = (kid: string) => installation.versions.byTokenKid(kid)!.version;
      return { numbers: set.keys.map(({ kid }) => of(kid)), maxAge, set };
    },
    [Symbol.dispose]() {
      live.close();
      manager.close();
      environment[Symbol.dispose]();
    },
  };
}

/** Adds the next version, which signs nothing yet. */
async function addPending(manager: SecretManager, publishedAt: number | null) {
  const { installation } = await manager.open();
  const secret = await Secret.generatePair("ES256", 0);
  const row = installation.versions.addPending({
    ...{ kid: secret.kid, location: "database", origin: "generated", alg: "ES256" },
    ...{ key_form: "pkcs8", bytes: 64, encoding: "base64", created_at: 1, reason: null },
    published_at: publishedAt,
  });
  await installation.sealed.write(sealedSlot(row), secret);
  return row;
}

const refusal = (code: string) => (error: unknown) => isRekeyError(error, code as "failed");

Deno.test("an HMAC secret is never public, neither alone nor in its grace period", async () => {
  using all = await beside("HS512");
  const { manager, now, fetched } = all;
  assert.deepEqual((await now()).set.text, '{"keys":[]}');
  assert.deepEqual(fetched, [], "its value is not even read");
  await manager.rotate({ alg: "ES256", graceMs: 60_000 });
  const { numbers, maxAge, set } = await now();
  assert.deepEqual(numbers, [2]);
  assert.equal(maxAge, 600, "the end of a period that is not in it shortens nothing");
  assert.deepEqual(Object.keys(set.keys[0]!), ["kty", "kid", "alg", "use", "crv", "x", "y"]);
  assert.deepEqual(await readPublicSet(manager), set, "the command has the same");
});

Deno.test("only the members of public keys are in the set, for every algorithm", async () => {
  const members = { RSA: ["n", "e"], EC: ["crv", "x", "y"], OKP: ["crv", "x"] };
  for (const alg of ["ES256", "ES384", "ES512", "Ed25519", "EdDSA", "RS256", "PS512"] as const) {
    using all = await beside(alg);
    const [key, ...others] = (await all.now()).set.keys;
    assert.equal(others.length, 0);
    const own = members[key!.kty as keyof typeof members];
    assert.deepEqual(Object.keys(key!), ["kty", "kid", "alg", "use", ...own], alg);
    assert.equal(key!.alg, alg);
  }
});

Deno.test("a prepared key is in the set, and the set is the same when it becomes the current one", async () => {
  using all = await beside("ES256");
  const { manager, now } = all;
  const row = await addPending(manager, 1);
  const before = await now();
  assert.deepEqual(before.numbers, [2, 1]);
  const { installation } = await manager.open();
  installation.database.transaction(() => {
    installation.versions.supersede(
      installation.versions.current()!,
      manager.environment.clock() + 60_000,
    );
    installation.versions.activate(row, 1);
  });
  const after = await now();
  assert.equal(after.set.text, before.set.text);
  assert.deepEqual([before.maxAge, after.maxAge], [600, 60]);
});

Deno.test("the next key of a rotation that is under way is not in the set", async () => {
  using all = await beside("ES256");
  await addPending(all.manager, null);
  assert.deepEqual((await all.now()).numbers, [1]);
});

Deno.test("a key leaves with its grace period, by the clock, and no verifier is told to keep it longer", async () => {
  using all = await beside("ES256");
  const { environment, manager, now } = all;
  await manager.rotate({ graceMs: 3_600_000 });
  assert.equal((await now()).maxAge, 600);
  environment.advance(3_600_000 - 9_500);
  assert.deepEqual([(await now()).numbers, (await now()).maxAge], [[2, 1], 9]);
  environment.advance(9_499);
  assert.deepEqual([(await now()).numbers, (await now()).maxAge], [[2, 1], 0]);
  environment.advance(1);
  assert.deepEqual([(await now()).numbers, (await now()).maxAge], [[2], 600]);
});

Deno.test("a rotation without a grace period, and `revoke`, take keys out at once", async () => {
  using all = await beside("ES256");
  const { manager, now } = all;
  await manager.rotate({ graceMs: 60_000 });
  assert.deepEqual((await now()).numbers, [2, 1]);
  await manager.revoke();
  assert.deepEqual((await now()).numbers, [2]);
  await manager.rotate({});
  assert.deepEqual((await now()).numbers, [3]);
});

Deno.test("values are read once for as long as the versions are the same", async () => {
  using all = await beside("ES256");
  const { manager, now, fetched } = all;
  await addPending(manager, 1);
  const { set } = await now();
  manager.noteVerdict("valid");
  await manager.flushNotes();
  assert.equal((await now()).set, set, "another commit");
  assert.deepEqual(fetched.sort(), [1, 2]);
});

Deno.test("the kid of a key that had another one before is that of its tokens", async () => {
  using all = await beside("ES256");
  const { installation } = await all.manager.open();
  sql(installation.database.path, "UPDATE rekey_versions SET token_kid = 'theirs'");
  assert.deepEqual((await all.now()).set.keys.map(({ kid }) => kid), ["theirs"]);
});

Deno.test("a set is whole: when one value cannot be read there is none", async () => {
  using all = await beside("ES256");
  const { manager, now } = all;
  await manager.rotate({ graceMs: 60_000 });
  const { installation } = await manager.open();
  sql(installation.database.path, "DELETE FROM settings WHERE key LIKE '%v1'");
  await assert.rejects(now(), refusal("secret_missing"));
  await assert.rejects(readPublicSet(manager), refusal("secret_missing"));
  await manager.revoke();
  assert.deepEqual((await now()).numbers, [2]);
});

Deno.test("write access to the rows makes no secret public, and no stranger's key", async () => {
  using all = await beside("HS512");
  const { installation } = await all.manager.open();
  const change = (what: string) => sql(installation.database.path, `UPDATE rekey_versions ${what}`);
  change("SET alg = 'ES256', key_form = 'pkcs8'");
  await assert.rejects(all.now(), refusal("secret_damaged"));
  const { kid } = await Secret.generatePair("ES256", 0);
  change(`SET kid = '${kid}'`);
  await assert.rejects(all.now(), refusal("secret_damaged"));
});

Deno.test("a rotation while the set is read does not give half of one", async () => {
  using all = await beside("ES256");
  const { manager, live } = all;
  let rotations = 0;
  const set = await readPublicSet({
    look: () => live.look(),
    async valueOf(version) {
      const value = await manager.valueOf(version);
      if (rotations++ === 0) await manager.rotate({});
      return value;
    },
  });
  assert.deepEqual(set.keys.map(({ kid }) => kid), [live.verifyingNow()[0]!.kid]);
});
