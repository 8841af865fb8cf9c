import assert from "node:assert/strict";
import { SecretManager } from "../../src/secret/manager.ts";
import { ROTATION_STEPS, type RotationStep } from "../../src/secret/backend.ts";
import { MOST_GRACE_WINDOWS } from "../../src/secret/grace.ts";
import { AuthManager } from "../../src/auth/manager.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { takeLock } from "../../src/store/sqlite/lock.ts";
import { testEnvironment } from "../support/store/environment.ts";

const DATABASE = { store: "database", alg: "HS512", keyForm: "text" } as const;

Deno.test("the guide's unit test: a rotation gives another secret", async () => {
  using environment = testEnvironment();
  const manager = new SecretManager(environment);
  const { secret: first } = await manager.getOrCreate(DATABASE);
  await manager.rotate();
  const { secret: second } = await manager.getOrCreate(DATABASE);
  assert.notEqual(first.reveal(), second.reveal());
  manager.close();
});

Deno.test("get never makes a secret, and destroy takes it away", async () => {
  using environment = testEnvironment();
  const manager = new SecretManager(environment);
  const none = (error: unknown) => isRekeyError(error, "not_initialised");
  await assert.rejects(manager.get(), none);
  await manager.getOrCreate(DATABASE);
  assert.equal(await manager.destroy(), true);
  await assert.rejects(manager.get(), none);
  assert.equal(await manager.destroy(), false);
});

/** Stands in for the end of the process at a step: what follows does not happen. */
class Stopped extends Error {}

const AFTER: Record<RotationStep, number> = { begin: 1, write: 1, probe: 1, commit: 2, publish: 2 };

for (const step of ROTATION_STEPS) {
  Deno.test(`a rotation that ends after "${step}" leaves version ${AFTER[step]}, and the next one works`, async () => {
    using environment = testEnvironment();
    const first = new SecretManager(environment);
    await first.getOrCreate(DATABASE);
    const auth = new AuthManager(first);
    const { token } = await auth.issue({ subject: "a", lifetime: 60 });
    const onStep = (reached: RotationStep) => {
      if (reached === step) throw new Stopped();
    };
    await assert.rejects(first.rotate({ onStep }), Stopped);
    first.close();

    const next = new SecretManager(environment);
    assert.equal((await next.get()).version.version, AFTER[step]);
    const verified = await next.verify(token).catch((error) => error);
    if (AFTER[step] === 1) assert.equal(verified.version, 1);
    else assert.ok(isRekeyError(verified, "retired_kid"));
    const { installation } = await next.open();
    assert.equal(installation.versions.pending(), undefined);
    assert.equal((await next.rotate()).previous?.version, AFTER[step]);
    next.close();
  });
}

Deno.test("a grace window ends by the clock, and its value is destroyed by the next command", async () => {
  using environment = testEnvironment();
  const manager = new SecretManager(environment);
  await manager.getOrCreate(DATABASE);
  const auth = new AuthManager(manager);
  const { token } = await auth.issue({ subject: "a", lifetime: 3_600 });
  await auth.rotate({ graceMs: 60_000 });
  assert.equal((await manager.verify(token)).version, 1);
  environment.advance(59_999);
  assert.equal((await manager.verify(token)).version, 1);
  environment.advance(1);
  await assert.rejects(manager.verify(token), (error) => isRekeyError(error, "retired_kid"));
  const { installation } = await manager.open();
  assert.deepEqual(installation.versions.previous(), []);
  assert.equal(installation.sealed.rawValue("jwt_secret.v1"), undefined);
  manager.close();
});

Deno.test("a grace window ends by the clock even while its value cannot be destroyed", async () => {
  using environment = testEnvironment();
  const manager = new SecretManager(environment);
  await manager.getOrCreate(DATABASE);
  const auth = new AuthManager(manager);
  const { token } = await auth.issue({ subject: "a", lifetime: 3_600 });
  await auth.rotate({ graceMs: 60_000 });
  const { installation } = await manager.open();
  environment.advance(60_000);
  using _held = takeLock(installation.lockPath, 0);
  await assert.rejects(manager.verify(token), (error) => isRekeyError(error, "retired_kid"));
  manager.close();
});

Deno.test("a rotation without a grace window ends the older ones too", async () => {
  using environment = testEnvironment();
  const manager = new SecretManager(environment);
  await manager.getOrCreate(DATABASE);
  const auth = new AuthManager(manager);
  const { token } = await auth.issue({ subject: "a", lifetime: 3_600 });
  await auth.rotate({ graceMs: 60_000 });
  await auth.rotate();
  await assert.rejects(manager.verify(token), (error) => isRekeyError(error, "retired_kid"));
  const { installation } = await manager.open();
  assert.equal(installation.sealed.rawValue("jwt_secret.v1"), undefined);
  manager.close();
});

Deno.test("a second rotation waits for the first, and gives up in time", async () => {
  using environment = testEnvironment();
  const [one, two] = [new SecretManager(environment), new SecretManager(environment)];
  await one.getOrCreate(DATABASE);
  let refused: unknown;
  let blocked: Promise<unknown> | undefined;
  await one.rotate({
    onStep: (step) => {
      if (step === "begin") {
        blocked = two.rotate({ lockTimeoutMs: 50 }).catch((error) => refused = error);
      }
    },
  });
  await blocked;
  assert.ok(isRekeyError(refused, "busy"));
  assert.equal((await two.get()).version.version, 2);
  one.close();
  two.close();
});

Deno.test("a grace window more than may be open is refused; a rotation without one is not", async () => {
  using environment = testEnvironment();
  const manager = new SecretManager(environment);
  await manager.getOrCreate(DATABASE);
  const { installation } = await manager.open();
  installation.database.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${MOST_GRACE_WINDOWS})
     INSERT INTO rekey_versions (version, kid, state, location, origin, created_at, grace_until, synced)
     SELECT i + 1, printf('%016d', i), 'previous', 'database', 'generated', 0, 9e15, 1 FROM n`,
  ).run();
  await assert.rejects(
    manager.rotate({ graceMs: 60_000 }),
    (error) => isRekeyError(error, "failed"),
  );
  await manager.rotate();
  assert.equal(installation.versions.previous().length, 0);
  await manager.rotate({ graceMs: 60_000 });
  manager.close();
});
