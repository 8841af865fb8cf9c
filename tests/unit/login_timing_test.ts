import assert from "node:assert/strict";
import { Accounts } from "../../src/users/accounts.ts";
import { Throttle } from "../../src/users/throttle.ts";
import { Users } from "../../src/users/users.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { testEnvironment } from "../support/store/environment.ts";
import { areApart } from "../support/timing/rank_score.ts";

// By chance alone, nine times are all shorter, or all longer, than nine others once in 24,310 times.
const ATTEMPTS = 9;

// Some 30 ms.
const COST = { ln: 13, r: 8, p: 1 };

async function withAlice() {
  const environment = testEnvironment();
  const secrets = new SecretManager(environment);
  await secrets.getOrCreate();
  const accounts = new Accounts(secrets, COST);
  await accounts.add("alice", "correct horse");
  const { database } = (await secrets.open()).installation;
  return {
    environment,
    database,
    attempt: async (name: string) => {
      const start = performance.now();
      const credentials = { name, password: "wrong horse", address: "192.0.2.1" };
      const error = await accounts.authenticate(credentials).catch((error) => error);
      const time = performance.now() - start;
      // An hour without a failure, and nothing is counted any more.
      environment.advance(61 * 60_000);
      return { error, time };
    },
    [Symbol.dispose]() {
      secrets.close();
      environment[Symbol.dispose]();
    },
  };
}

Deno.test("the time of a failed login does not tell whether there is such a user", async () => {
  using all = await withAlice();
  const { database, attempt } = all;
  const known: number[] = [];
  const unknown: number[] = [];
  const leaking: number[] = [];
  await attempt("alice");
  const order = Array.from({ length: 2 * ATTEMPTS }, (_, i) => i)
    .map((i) => ({ isKnown: i < ATTEMPTS, at: Math.random() })).sort((a, b) => a.at - b.at);
  for (const { isKnown } of order) {
    const { error, time } = await attempt(isKnown ? "alice" : `unknown${Math.random()}`);
    assert.ok(isRekeyError(error, "bad_credentials"));
    (isKnown ? known : unknown).push(time);
    // What must not be: no password is looked at where there is no user.
    // The quickest of some looks: a machine that is busy with something else may stop one of them.
    const looks = Array.from({ length: 5 }, () => {
      const start = performance.now();
      assert.equal(new Users(database).find("unknown"), undefined);
      return performance.now() - start;
    });
    if (!isKnown) leaking.push(Math.min(...looks));
  }
  const figures = [known, unknown].map((times) => times.map(Math.round).sort((a, b) => a - b));
  assert.ok(areApart(known, leaking), "the control is not seen");
  assert.ok(!areApart(known, unknown), JSON.stringify(figures));
});

Deno.test("the wait begins as soon for unknown users, and reveals nothing", async () => {
  using all = await withAlice();
  const { database, environment, attempt } = all;
  const refusals: string[] = [];
  for (const name of ["alice", "unknown"]) {
    const throttle = new Throttle(database);
    for (let i = 0; i < 5; i++) throttle.count("user", name, environment.clock());
    const { error } = await attempt(name);
    assert.ok(isRekeyError(error, "throttled"));
    refusals.push(`${error.message} ${error.retryAfter}`);
  }
  assert.equal(refusals[0], refusals[1]);
});
