import assert from "node:assert/strict";
import { isRekeyError } from "../../src/core/errors.ts";
import { signCompact } from "../../src/jwt/signatures.ts";
import { verifyToken } from "../../src/jwt/verifier.ts";
import { LivePublicSet } from "../../src/secret/public_set.ts";
import { LiveSecrets } from "../../src/secret/live_secrets.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { sleepSync } from "../../src/system/files.ts";
import { Installation } from "../../src/store/installation.ts";
import { LOOK_MS } from "../../src/store/sqlite/path_look.ts";
import { testEnvironment } from "../support/store/environment.ts";

/** A manager and what a server sees beside it, on connections of their own. */
async function beside() {
  const environment = testEnvironment();
  const manager = new SecretManager(environment);
  await manager.getOrCreate();
  let fetched = 0;
  const live = new LiveSecrets(environment, async (version) => {
    fetched++;
    return (await manager.valueOf(version)).secret;
  });
  return {
    environment,
    manager,
    live,
    fetched: () => fetched,
    [Symbol.dispose]() {
      live.close();
      manager.close();
      environment[Symbol.dispose]();
    },
  };
}

const numbers = (live: LiveSecrets) => live.verifyingNow().map(({ version }) => version);

Deno.test("a rotation is seen by the very next look", async () => {
  using all = await beside();
  const { manager, live } = all;
  assert.deepEqual(numbers(live), [1]);
  const before = live.view();
  assert.equal(live.view(), before, "nothing has changed, so nothing is read again");
  await manager.rotate({});
  assert.deepEqual(numbers(live), [2]);
  assert.notEqual(live.view().generation, before.generation);
});

Deno.test("a grace window ends by the clock, without any commit", async () => {
  using all = await beside();
  const { environment, manager, live } = all;
  await manager.rotate({ graceMs: 60_000 });
  assert.deepEqual(numbers(live), [2, 1]);
  environment.advance(59_999);
  assert.deepEqual(numbers(live), [2, 1]);
  environment.advance(1);
  assert.deepEqual(numbers(live), [2]);
  environment.advance(-1);
  assert.deepEqual(numbers(live), [2, 1], "the clock was set back");
});

Deno.test("of several grace windows each ends at its own time, and the list stays until then", async () => {
  using all = await beside();
  const { environment, manager, live } = all;
  for (const graceMs of [30_000, 10_000, 20_000]) await manager.rotate({ graceMs });
  for (const expected of [[4, 3, 2, 1], [4, 3, 1], [4, 1], [4]]) {
    const list = live.verifyingNow();
    assert.deepEqual(numbers(live).toSorted(), expected.toSorted());
    environment.advance(9_999);
    assert.equal(live.verifyingNow(), list);
    environment.advance(1);
  }
  environment.advance(-15_000);
  assert.deepEqual(numbers(live).toSorted(), [1, 4], "the clock was set back");
  await manager.rotate({ graceMs: 1_000 });
  assert.deepEqual(numbers(live).toSorted(), [1, 4, 5], "a commit is seen");
});

Deno.test("a value is fetched once, and dropped with its version", async () => {
  using all = await beside();
  const { manager, live, fetched } = all;
  const [first] = live.verifyingNow();
  assert.equal((await live.valueOf(first!)).secret.kid, first!.kid);
  await live.valueOf(first!);
  assert.equal(fetched(), 1);
  await manager.rotate({});
  live.view();
  // Its value is gone, and is not kept here either.
  await assert.rejects(live.valueOf(first!), (error) => isRekeyError(error));
  assert.equal(fetched(), 2);
});

Deno.test("other commits change no generation", async () => {
  using all = await beside();
  const { manager, live } = all;
  const before = live.view();
  manager.noteVerdict("valid");
  await manager.flushNotes();
  const after = live.view();
  assert.notEqual(after.change, before.change);
  assert.equal(after.generation, before.generation);
});

Deno.test("a database that was deleted, or that took the place of another, is noticed", async () => {
  using all = await beside();
  const { environment, manager, live } = all;
  const path = Installation.path(environment);
  const { change } = live.view();
  await manager.destroy();
  assert.throws(() => live.view(), (error) => isRekeyError(error, "not_initialised"));
  manager.close();
  const another = new SecretManager(environment);
  await another.getOrCreate();
  another.close();
  assert.equal(numbers(live).length, 1);
  assert.notEqual(live.view().change, change);
  const { kid } = live.verifyingNow()[0]!;
  // A restoration puts a finished file there in one step.
  const copy = `${path}.copy`;
  await Deno.copyFile(path, copy);
  const view = live.view();
  await Deno.rename(copy, path);
  sleepSync(LOOK_MS);
  assert.notEqual(live.view().installation, view.installation);
  assert.notEqual(live.view().change, view.change, "even if SQLite counts the same");
  assert.equal(live.verifyingNow()[0]!.kid, kid);
});

/** Puts a copy of the database in its place so often that the first one is closed, or another database. */
async function replace(live: LiveSecrets, from: string): Promise<void> {
  const path = Installation.path(live.environment);
  for (let times = 0; times < 2; times++) {
    await Deno.copyFile(from, `${path}.copy`);
    await Deno.rename(`${path}.copy`, path);
    sleepSync(LOOK_MS);
    live.view();
  }
}

/** What verifies while the databases of another environment, or copies of the same, take the place of the first one. */
async function overtaken(alg: "HS256" | "ES256", other: (path: string) => Promise<string>) {
  const environment = testEnvironment();
  const manager = new SecretManager(environment);
  const { version, secret } = await manager.getOrCreate({ alg });
  manager.close();
  const from = await other(Installation.path(environment));
  const live: LiveSecrets = new LiveSecrets(environment, async () => {
    await replace(live, from);
    return secret;
  });
  const claims = { sub: "alice", jti: "one", exp: 2 ** 33 };
  return {
    live,
    token: signCompact(secret, version, { kid: version.kid }, claims),
    [Symbol.dispose]() {
      live.close();
      environment[Symbol.dispose]();
    },
  };
}

Deno.test("a token that waits for its key is looked up in the database that is there by then", async () => {
  using all = await overtaken("HS256", (path) => Promise.resolve(path));
  assert.equal((await verifyToken(all.live, all.token)).claims.sub, "alice");
});

Deno.test("a token that waits for its key counts no more if another secret has its version's number by then", async () => {
  using environment = testEnvironment();
  const another = new SecretManager(environment);
  await another.getOrCreate({ alg: "HS256" });
  another.close();
  const path = Installation.path(environment);
  using all = await overtaken("HS256", () => Promise.resolve(path));
  const verifying = async () => await verifyToken(all.live, all.token);
  await assert.rejects(verifying, (error) => isRekeyError(error, "unknown_kid"));
});

Deno.test("public keys that wait for a value are those of the database that is there by then", async () => {
  using all = await overtaken("ES256", (path) => Promise.resolve(path));
  const { set, maxAge } = await new LivePublicSet(all.live).now();
  assert.deepEqual([set.keys.length, maxAge], [1, 600]);
});
