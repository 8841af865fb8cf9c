import assert from "node:assert/strict";
import { scryptSync } from "node:crypto";
import { Accounts } from "../../src/users/accounts.ts";
import { AuthManager } from "../../src/auth/manager.ts";
import { hashPassword, verifyPassword } from "../../src/users/passwords.ts";
import { Throttle } from "../../src/users/throttle.ts";
import { type ErrorCode, isRekeyError } from "../../src/core/errors.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { type TestEnvironment, testEnvironment } from "../support/store/environment.ts";

const PASSWORD = "correct horse";
const CHEAP = { ln: 12, r: 8, p: 1 };

async function prepared(environment: TestEnvironment) {
  const manager = new SecretManager(environment);
  await manager.getOrCreate();
  const accounts = new Accounts(manager, CHEAP);
  await accounts.add("alice", PASSWORD);
  return { manager, accounts, auth: new AuthManager(manager, accounts) };
}

const coded = (code: ErrorCode) => (error: unknown) => isRekeyError(error, code);

Deno.test("the guide's integration test: log in, rotate, the token is refused, log in again", async () => {
  using environment = testEnvironment();
  const { manager, auth } = await prepared(environment);
  const { token } = await auth.login({ name: "alice", password: PASSWORD }, 3_600);
  assert.equal((await manager.verify(token)).claims.sub, "alice");
  await auth.rotate();
  await assert.rejects(manager.verify(token), coded("retired_kid"));
  const again = await auth.login({ name: "alice", password: PASSWORD }, 3_600);
  assert.equal((await manager.verify(again.token)).version, 2);
  manager.close();
});

Deno.test("a wrong password and an unknown user are refused alike", async () => {
  using environment = testEnvironment();
  const { manager, auth } = await prepared(environment);
  const refusals: string[] = [];
  for (const [name, password] of [["alice", "wrong horse"], ["unknown", PASSWORD], ["", ""]]) {
    const error = await auth.login({ name: name!, password: password! }, 60).catch((e) => e);
    assert.ok(isRekeyError(error, "bad_credentials"), String(error));
    refusals.push(error.message);
  }
  assert.equal(new Set(refusals).size, 1);
  manager.close();
});

Deno.test("guessing is slowed down by user, the right password too, and a restart forgives nothing", async () => {
  using environment = testEnvironment();
  const { manager, auth } = await prepared(environment);
  const wrong = { name: "alice", password: "wrong horse" };
  for (let i = 0; i < 5; i++) await assert.rejects(auth.login(wrong, 60), coded("bad_credentials"));
  const right = { name: "alice", password: PASSWORD };
  await assert.rejects(auth.login(right, 60), coded("throttled"));
  manager.close();
  const restarted = new SecretManager(environment);
  const again = new AuthManager(restarted, new Accounts(restarted, CHEAP));
  await assert.rejects(again.login(right, 60), coded("throttled"));
  environment.advance(1_001);
  assert.ok((await again.login(right, 60)).token);
  await assert.rejects(again.login(wrong, 60), coded("bad_credentials"), "the count began again");
  restarted.close();
});

Deno.test("guessing from one address is slowed down whatever the names, an account there does not help", async () => {
  using environment = testEnvironment();
  const { manager, auth } = await prepared(environment);
  const address = "192.0.2.1";
  const { installation } = await manager.open();
  const throttle = new Throttle(installation.database);
  for (let i = 0; i < 20; i++) throttle.count("address", address, environment.clock());
  const alice = { name: "alice", password: PASSWORD };
  await assert.rejects(auth.login({ ...alice, address }, 60), coded("throttled"));
  assert.ok((await auth.login({ ...alice, address: "192.0.2.2" }, 60)).token);
  environment.advance(1_001);
  assert.ok((await auth.login({ ...alice, address }, 60)).token);
  throttle.count("address", address, environment.clock());
  await assert.rejects(
    auth.login({ ...alice, address }, 60),
    coded("throttled"),
    "it was not cleared",
  );
  manager.close();
});

Deno.test("the wait doubles up to a quarter of an hour, and an hour without a failure ends it", async () => {
  using environment = testEnvironment();
  const { manager } = await prepared(environment);
  const throttle = new Throttle((await manager.open()).installation.database);
  const waits: number[] = [];
  for (let i = 0; i < 60; i++) {
    throttle.count("user", "x", 1_000_000);
    waits.push(throttle.wait("user", "x", 1_000_000) / 1_000);
  }
  assert.deepEqual(waits.slice(0, 8), [0, 0, 0, 0, 1, 2, 4, 8]);
  assert.deepEqual([waits[20], waits[59]], [900, 900]);
  assert.equal(throttle.wait("user", "x", 1_000_000 + 900_000), 0);
  throttle.count("user", "x", 1_000_000 + 3_700_000);
  assert.equal(throttle.wait("user", "x", 1_000_000 + 3_700_000), 0, "the count began again");
  // A clock that was set back by a day must not lock anyone out for one.
  assert.ok(throttle.wait("user", "x", -86_400_000) <= 900_000);
  manager.close();
});

Deno.test("attempts at the same time count each other", async () => {
  using environment = testEnvironment();
  const { manager, auth } = await prepared(environment);
  const attempts = Array.from(
    { length: 8 },
    () => auth.login({ name: "alice", password: "wrong horse" }, 60).catch((error) => error.code),
  );
  const codes = await Promise.all(attempts);
  assert.deepEqual(codes.filter((code) => code === "bad_credentials").length, 5);
  assert.deepEqual(codes.filter((code) => code === "throttled").length, 3);
  manager.close();
});

Deno.test("a new password and a removal end the sessions; others' stay", async () => {
  using environment = testEnvironment();
  const { manager, accounts, auth } = await prepared(environment);
  await accounts.add("bob", "another horse");
  const login = (name: string, password: string) => auth.login({ name, password }, 3_600);
  const alice = await login("alice", PASSWORD);
  const bob = await login("bob", "another horse");
  await accounts.setPassword("alice", "a newer horse");
  await assert.rejects(manager.verify(alice.token), coded("revoked"));
  await assert.rejects(login("alice", PASSWORD), coded("bad_credentials"));
  const newer = await login("alice", "a newer horse");
  assert.equal((await manager.verify(bob.token)).claims.sub, "bob");
  assert.deepEqual((await accounts.sessions(10)).map(({ sub }) => sub).sort(), ["alice", "bob"]);
  await accounts.endSession(bob.jti);
  await assert.rejects(manager.verify(bob.token), coded("revoked"));
  await assert.rejects(accounts.endSession(bob.jti), coded("failed"));
  await accounts.remove("alice");
  await assert.rejects(manager.verify(newer.token), coded("revoked"));
  assert.deepEqual(await accounts.sessions(10), []);
  assert.deepEqual((await accounts.list(10)).map(({ name }) => name), ["bob"]);
  manager.close();
});

Deno.test("a rotation ends sessions in the list too, and long-ended ones are forgotten by later logins", async () => {
  using environment = testEnvironment();
  const { manager, accounts, auth } = await prepared(environment);
  await auth.issue({ subject: "x", lifetime: 60 });
  assert.equal((await accounts.sessions(10, ["x"])).length, 1);
  await auth.rotate();
  assert.deepEqual(await accounts.sessions(10), []);
  environment.advance(40 * 86_400_000);
  await auth.issue({ subject: "y", lifetime: 60 });
  const { installation } = await manager.open();
  const rows = installation.database.prepare("SELECT sub FROM rekey_sessions").all();
  assert.deepEqual(rows.map(({ sub }) => sub), ["y"]);
  manager.close();
});

Deno.test("names and passwords that cannot be used are refused", async () => {
  using environment = testEnvironment();
  const { manager, accounts } = await prepared(environment);
  for (const name of ["", "a b", "a\nb", "x".repeat(129), "\u{1F600}"]) {
    await assert.rejects(accounts.add(name, PASSWORD), coded("usage"), JSON.stringify(name));
  }
  for (const password of ["", "seven77", "x".repeat(1_025)]) {
    await assert.rejects(accounts.add("carol", password), coded("usage"));
  }
  await assert.rejects(accounts.add("alice", PASSWORD), coded("failed"));
  await assert.rejects(accounts.setPassword("unknown", PASSWORD), coded("failed"));
  await assert.rejects(accounts.remove("unknown"), coded("failed"));
  manager.close();
});

Deno.test("a name is the same however it is typed, but for its case: it is taken, and logs in", async () => {
  using environment = testEnvironment();
  const { manager, accounts, auth } = await prepared(environment);
  const [composed, decomposed, fullwidth] = ["Ren\u00e9", "Rene\u0301", "\uff32en\u00e9"];
  assert.equal(await accounts.add(decomposed, PASSWORD), composed);
  for (const name of [composed, decomposed, fullwidth]) {
    await assert.rejects(accounts.add(name, PASSWORD), /the name is taken/);
    const { token } = await auth.login({ name, password: PASSWORD }, 60);
    assert.equal((await manager.verify(token)).claims.sub, composed);
  }
  const other = { name: "ren\u00e9", password: PASSWORD };
  await assert.rejects(auth.login(other, 60), coded("bad_credentials"));
  manager.close();
});

Deno.test("a hash of older parameters still opens, and the login replaces it", async () => {
  using environment = testEnvironment();
  const { manager, accounts, auth } = await prepared(environment);
  const salt = new Uint8Array(16).fill(7);
  const weak = scryptSync(PASSWORD, salt, 32, { N: 2 ** 10, r: 8, p: 1 });
  const unpadded = (bytes: Uint8Array) => bytes.toBase64().replace(/=+$/, "");
  const older = `$scrypt$ln=10,r=8,p=1$${unpadded(salt)}$${unpadded(new Uint8Array(weak))}`;
  const { installation } = await manager.open();
  installation.database.prepare("UPDATE rekey_users SET password = ?").run(older);
  await auth.login({ name: "alice", password: PASSWORD }, 60);
  const [user] = await accounts.list(10);
  assert.match(user!.password, /^\$scrypt\$ln=12,/);
  assert.deepEqual(await verifyPassword(PASSWORD, user!.password, CHEAP), {
    right: true,
    outdated: false,
  });
  manager.close();
});

Deno.test("equal characters typed as different code points are one password; a damaged hash is named", async () => {
  const stored = await hashPassword("pässwörter", CHEAP);
  assert.equal((await verifyPassword("pa\u0308sswo\u0308rter", stored)).right, true);
  assert.equal((await verifyPassword("pässwörter ", stored)).right, false);
  for (const damaged of ["", "plain", stored.replace("ln=12", "ln=40"), stored.slice(0, 30)]) {
    await assert.rejects(verifyPassword("x", damaged), coded("database_damaged"), damaged);
  }
});

Deno.test("a new password that overtakes a login leaves it without a session", async () => {
  using environment = testEnvironment();
  const { manager, accounts, auth } = await prepared(environment);
  // Once the password was found right, and before there is a session.
  const { installation } = await manager.open();
  installation.database.prepare(
    `CREATE TEMP TRIGGER overtaken AFTER DELETE ON rekey_throttle
     BEGIN UPDATE rekey_users SET password = password || 'x'; END`,
  ).run();
  await assert.rejects(
    auth.login({ name: "alice", password: PASSWORD }, 60),
    coded("bad_credentials"),
  );
  const [user] = await accounts.list(10);
  assert.match(user!.password, /x$/);
  assert.deepEqual(await accounts.sessions(10), []);
  manager.close();
});

Deno.test("unless a test asks for less, a hash costs what OWASP recommends", async () => {
  using environment = testEnvironment();
  const manager = new SecretManager(environment);
  await manager.getOrCreate();
  const accounts = new Accounts(manager);
  await accounts.add("alice", PASSWORD);
  const [user] = await accounts.list(10);
  assert.match(user!.password, /^\$scrypt\$ln=17,r=8,p=1,prep=1\$/);
  manager.close();
});

Deno.test("of a password that is too long it is not said how long: not all of it may have been read", async () => {
  for (const length of [1_025, 94_208]) {
    await assert.rejects(hashPassword("x".repeat(length)), /it has more than 1024 characters/);
  }
  await assert.rejects(hashPassword("1234567"), /it has 7 characters/);
});

Deno.test("passwords and names are measured in characters, whatever their code units", async () => {
  using environment = testEnvironment();
  const { manager, accounts, auth } = await prepared(environment);
  const [name, password] = ["\u{20000}".repeat(100), "\u{1F511}".repeat(600)];
  await accounts.add(name, password);
  for (let i = 0; i < 7; i++) await auth.login({ name, password }, 60);
  manager.close();
});

Deno.test("a clock that was set back locks no one out for good", async () => {
  using environment = testEnvironment();
  const { manager, auth } = await prepared(environment);
  const { installation: { database } } = await manager.open();
  const tomorrow = environment.clock() + 86_400_000;
  database.prepare("INSERT INTO rekey_throttle VALUES ('user', 'alice', 50, ?)").run(tomorrow);
  await auth.login({ name: "alice", password: PASSWORD }, 60);
  manager.close();
});
