import assert from "node:assert/strict";
import { listAudit } from "../../src/audit/reader.ts";
import { verifyChain } from "../../src/audit/verify_chain.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { AuthManager } from "../../src/auth/manager.ts";
import { Secret } from "../../src/core/secret.ts";
import { keptHead } from "../../src/secret/keyring/reconcile.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import type { MirrorChoice } from "../../src/store/environment.ts";
import { type TestEnvironment, testEnvironment } from "../support/store/environment.ts";
import { FakeKeyring, type Fault } from "../support/keyring/fake_keyring.ts";

const ACCOUNT = "agiworkforce.jwt_secret";
const FAULTS: Fault[] = ["fail", "hang", "drop write", "fail after"];
// More than a rotation makes; past the last call nothing goes wrong, which is checked too.
const CALLS = 18;

async function prepared(environment: TestEnvironment) {
  const manager = new SecretManager(environment);
  await manager.getOrCreate();
  const { token } = await new AuthManager(manager).issue({ subject: "a", lifetime: 3_600 });
  return { manager, token };
}

/** After a fault and with the keyring well again: one secret, in its place, and the right tokens. */
async function checkHealed(
  environment: TestEnvironment,
  keyring: FakeKeyring,
  old: string,
): Promise<number> {
  keyring.break("none", 0);
  environment.advance(61_000);
  const manager = new SecretManager(environment);
  const { version, secret } = await manager.get();
  const auth = new AuthManager(manager);
  const verdict = await manager.verify(old).catch((error) => error);
  if (version.version === 1) assert.equal(verdict.version, 1);
  else assert.ok(isRekeyError(verdict, "retired_kid"), String(verdict));
  assert.equal(
    (await manager.verify((await auth.issue({ subject: "b", lifetime: 60 })).token)).kid,
    version.kid,
  );
  assert.deepEqual(keyring.values, [[ACCOUNT, secret.reveal()]]);
  const { installation } = await manager.open();
  assert.deepEqual(installation.versions.unsynced(), []);
  manager.close();
  return version.version;
}

for (const mirror of ["off", "on"] as MirrorChoice[]) {
  for (const fault of FAULTS) {
    Deno.test(`rotate, keyring with mirror ${mirror}, "${fault}" at every call: one secret, in place`, async () => {
      let failed = 0;
      for (let n = 1; n <= CALLS; n++) {
        const keyring = new FakeKeyring();
        using environment = testEnvironment(() => keyring.addon(), mirror);
        const { manager, token } = await prepared(environment);
        keyring.break(fault, n);
        const outcome = await manager.rotate().catch((error) => error);
        manager.close();
        const reached = keyring.calls >= n;
        const version = await checkHealed(environment, keyring, token);
        if (outcome instanceof Error) {
          assert.ok(isRekeyError(outcome), String(outcome.stack));
          failed++;
          assert.equal(version, 1, `call ${n}: a rotation that failed must not have happened`);
        } else {
          assert.notEqual(version, 1, `call ${n}: a rotation that succeeded must have happened`);
        }
        if (n === CALLS) assert.ok(!reached, "the faults must cover every call");
      }
      assert.ok(failed > 0, "some fault must have been felt");
    });
  }
}

Deno.test("a keyring that drops writes is not believed, with a mirror either", async () => {
  for (const mirror of ["off", "on"] as MirrorChoice[]) {
    const keyring = new FakeKeyring();
    using environment = testEnvironment(() => keyring.addon(), mirror);
    const { manager } = await prepared(environment);
    keyring.break("drop write", 2);
    const outcome = await manager.rotate().catch((error) => error);
    assert.ok(isRekeyError(outcome, "failed"), String(outcome));
    assert.equal((await manager.get()).version.version, 1);
    manager.close();
  }
});

Deno.test("an empty keyring in place of the usual one is not taken for a new installation", async () => {
  const usual = new FakeKeyring();
  let now = usual;
  using environment = testEnvironment(() => ({
    AsyncEntry: class {
      constructor(service: string, account: string) {
        return new (now.addon().AsyncEntry)(service, account);
      }
    },
  } as never));
  const { manager } = await prepared(environment);
  usual.break("fail", 1);
  assert.equal((await manager.rotate({ store: "database" })).published, false);
  now = new FakeKeyring();
  manager.close();
  const elsewhere = new SecretManager(environment);
  await elsewhere.get();
  assert.equal(usual.values.length, 1);
  // Nor is one that the secret has moved into since.
  assert.equal((await elsewhere.rotate({ store: "keyring" })).version.location, "keyring");
  assert.equal(now.values.length, 1);
  assert.equal((await elsewhere.open()).installation.versions.unsynced()[0]?.version, 1);
  await elsewhere.rotate({ store: "database" });
  elsewhere.close();
  assert.deepEqual(now.values, []);
  now = usual;
  usual.break("none", 0);
  const back = new SecretManager(environment);
  await back.get();
  assert.deepEqual(usual.values, [], "the retired value is deleted when its keyring is back");
  back.close();
});

for (const change of ["grace", "database", "keyring"] as const) {
  Deno.test(`a reader that a change (${change}) overtakes finds the value in its new place`, async () => {
    const keyring = new FakeKeyring();
    using environment = testEnvironment(() => keyring.addon());
    const { manager, token } = await prepared(environment);
    const other = new SecretManager(environment);
    if (change !== "database") await other.move("database");
    const [version] = await manager.verifying();
    if (change === "grace") await other.rotate({ graceMs: 60_000 });
    else await other.move(change);
    assert.equal((await manager.valueOf(version!)).secret.kid, version!.kid);
    assert.equal((await manager.verify(token)).version, 1);
    await manager.flushNotes();
    const { installation } = await manager.open();
    const errors = listAudit(installation.database, 10, { event: ["error"] });
    assert.deepEqual(errors, [], "no alarm is raised");
    manager.close();
    other.close();
  });
}

for (const moment of ["before", "after"]) {
  Deno.test(`a rotation right ${moment} the value is read: the token is refused, no alarm raised`, async () => {
    const keyring = new FakeKeyring();
    using environment = testEnvironment(() => keyring.addon());
    const { manager, token } = await prepared(environment);
    const other = new SecretManager(environment);
    const valueOf = manager.valueOf.bind(manager);
    manager.valueOf = async (version) => {
      if (moment === "before") await other.rotate();
      const read = await valueOf(version);
      if (moment === "after") await other.rotate();
      return read;
    };
    const retired = (error: unknown) => isRekeyError(error, "retired_kid");
    await assert.rejects(manager.verify(token), retired);
    manager.close();
    other.close();
  });
}

Deno.test("a keyring entry of another installation is neither adopted nor overwritten", async () => {
  const keyring = new FakeKeyring();
  using owner = testEnvironment(() => keyring.addon());
  using other = testEnvironment(() => keyring.addon());
  const { manager, token } = await prepared(owner);
  const second = new SecretManager(other);
  const claimed = (error: unknown) => isRekeyError(error, "secret_claimed");
  await assert.rejects(second.getOrCreate(), claimed);
  await second.getOrCreate({ store: "database" });
  await assert.rejects(second.rotate({ store: "keyring" }), claimed);
  assert.equal((await second.rotate({ store: "auto" })).version.location, "database");
  assert.equal((await manager.verify(token)).version, 1);
  assert.equal(keyring.values.length, 1);
  manager.close();
  second.close();
});

Deno.test("two adopt a value at once, in one folder under two names: neither is another installation", async () => {
  const keyring = new FakeKeyring();
  keyring.items.set(ACCOUNT, Secret.generate().reveal());
  using own = testEnvironment(() => keyring.addon());
  using other = testEnvironment(() => keyring.addon());
  Deno.mkdirSync(own.folders.data!, { mode: 0o700 });
  Deno.symlinkSync(own.folders.data!, other.folders.data!);
  const [first, second] = [new SecretManager(own), new SecretManager(other)];
  const read = other.keyring.readPublished.bind(other.keyring);
  other.keyring.readPublished = async (kid) => {
    const found = await read(kid);
    await first.getOrCreate();
    return found;
  };
  const [{ version }, adopted] = [await second.get(), await first.get()];
  assert.deepEqual([version.version, version.kid], [1, adopted.version.kid]);
  assert.equal(version.origin, "adopted");
  assert.equal(keyring.values.length, 1);
  first.close();
  second.close();
});

Deno.test("a log that was cut off is noticed by the head in the keyring, at the next rotation at the latest", async () => {
  const keyring = new FakeKeyring();
  using environment = testEnvironment(() => keyring.addon());
  const { manager } = await prepared(environment);
  assert.equal((await manager.rotate()).logWhole, true);
  const { installation, version } = await manager.open();
  installation.database.transaction(() =>
    installation.database.prepare("DELETE FROM rekey_audit WHERE seq > 1").run()
  );
  const { head } = await keptHead(installation, version);
  const report = verifyChain(installation.database, await installation.auditKey.read(), [head!]);
  assert.match(report.bad?.why ?? "", /cut off/);
  assert.equal((await manager.rotate()).logWhole, false);
  assert.equal(
    (await manager.rotate()).logWhole,
    true,
    "it was written down and is not said again",
  );
  manager.close();
});

Deno.test("a keyring that refuses before a destruction leaves everything as it was", async () => {
  const keyring = new FakeKeyring();
  using environment = testEnvironment(() => keyring.addon());
  const { manager, token } = await prepared(environment);
  keyring.break("fail", 1);
  await assert.rejects(manager.destroy(), (error) => isRekeyError(error, "keyring_locked"));
  keyring.break("fail", 2);
  await assert.rejects(manager.destroy(), /was begun/);
  manager.close();
  keyring.break("none", 0);
  const next = new SecretManager(environment);
  await assert.rejects(next.get(), (error) => isRekeyError(error, "not_initialised"));
  assert.equal(keyring.items.size, 0);
  assert.ok(token);
  next.close();
});

Deno.test("a rotation that was cut off after its commit: the next command writes the keyring's note too", async () => {
  const keyring = new FakeKeyring();
  using environment = testEnvironment(() => keyring.addon());
  const { manager } = await prepared(environment);
  const stop = new Error("stop");
  const onStep = (step: string) => {
    if (step === "commit") throw stop;
  };
  await assert.rejects(manager.rotate({ onStep }), (error) => error === stop);
  manager.close();
  const next = new SecretManager(environment);
  const { version } = await next.get();
  const note = JSON.parse(keyring.items.get(`${ACCOUNT}.rekey`) ?? "{}");
  assert.deepEqual([note.version, note.kid, note.since], [2, version.kid, 1]);
  next.close();
});

Deno.test("a KEK that another process has exchanged is asked for again", async () => {
  using environment = testEnvironment();
  const manager = new SecretManager(environment);
  const other = new SecretManager(environment);
  await manager.getOrCreate();
  await manager.rotate({ graceMs: 60_000 });
  await other.underLock((installation, backend) => backend.rotateKek(installation, undefined));
  await manager.rotate();
  const { secret } = await manager.get();
  other.close();
  const fresh = new SecretManager(environment);
  assert.equal((await fresh.get()).secret.kid, secret.kid);
  assert.equal((await fresh.open()).installation.versions.current()?.version, 3);
  manager.close();
  fresh.close();
});

Deno.test("a failed import leaves the use of a secret that is there as it is", async () => {
  const keyring = new FakeKeyring();
  using environment = testEnvironment(() => keyring.addon());
  keyring.items.set(ACCOUNT, Secret.generate().reveal());
  const manager = new SecretManager(environment);
  const given = { secret: Secret.imported("x".repeat(64)), reason: "test" };
  const refused = manager.import(given, { alg: "HS256", keyForm: "raw" });
  await assert.rejects(refused, (error) => isRekeyError(error, "already_initialised"));
  const { installation } = await manager.open();
  assert.deepEqual([installation.algorithm, installation.keyForm], ["HS512", "text"]);
  manager.close();
});
