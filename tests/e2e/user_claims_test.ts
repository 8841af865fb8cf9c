import assert from "node:assert/strict";
import { join } from "node:path";
import { decodeJwt } from "jose";
import type { Box } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { logIn, PASSWORD } from "../support/http/logging_in.ts";
import { Serving } from "../support/http/serving.ts";
import { haveUsers } from "../support/store/users.ts";

const CLAIMS = ["--aud", "rmq", "--scope", "read", "--claim", "role=editor", "--claim", "n:=[1]"];
const EXPECTED = { aud: "rmq", scope: "read", role: "editor", n: [1] };

async function withAlice(): Promise<Box> {
  const box = await initialised();
  await haveUsers(box, ["alice"]);
  return box;
}

/** The claims of a new login, without those of every token. */
async function loggedIn(serving: Serving): Promise<unknown> {
  const { answer } = await logIn(serving);
  const { sub, jti, iat, exp, ...rest } = decodeJwt(answer.token);
  assert.deepEqual([sub, jti, typeof iat, typeof exp], ["alice", answer.jti, "number", "number"]);
  return rest;
}

Deno.test("claims set for a user are in the tokens of the logins that follow, and no other user's", async () => {
  using box = await withAlice();
  await using serving = await Serving.start(box);
  assert.deepEqual(await loggedIn(serving), {});
  assert.deepEqual(await box.json("user", "claims", "alice"), { user: "alice", claims: {} });
  const set = await box.json("user", "claims", "alice", ...CLAIMS);
  assert.deepEqual(set, { user: "alice", claims: EXPECTED });
  assert.deepEqual(await loggedIn(serving), EXPECTED);
  await box.run(["user", "passwd", "alice"], { stdin: PASSWORD });
  assert.deepEqual(await loggedIn(serving), EXPECTED, "a new password leaves them alone");
  assert.deepEqual(decodeJwt(await box.token("alice")).role, undefined);
  await box.json("user", "claims", "alice", "--claim", "other=1");
  assert.deepEqual(await loggedIn(serving), { other: "1" }, "they take the place of those before");
  assert.deepEqual((await box.json("user", "claims", "alice", "--clear")).claims, {});
  assert.deepEqual(await loggedIn(serving), {});
  const events = (await box.run(["audit", "list"])).stdout;
  assert.equal(events.match(/User claims changed/g)?.length, 3);
  assert.equal((await box.json("audit", "verify")).valid, true);
});

Deno.test("claims of a user are refused like those of issue, and bounded; a backup holds them", async () => {
  using box = await withAlice();
  const refused = async (why: RegExp, code: number, ...args: string[]) => {
    const ended = await box.run(["user", "claims", ...args]);
    assert.deepEqual([ended.code, ended.stdout], [code, ""]);
    assert.match(ended.stderr, why);
  };
  await refused(/Cannot set the claim sub: /, 2, "alice", "--claim", "sub=root");
  await refused(/more than 4096 bytes/, 2, "alice", "--claim", `a=${"x".repeat(4_096)}`);
  await refused(/more than 4096 bytes/, 2, "alice", "--aud", "x".repeat(4_096));
  await refused(/--clear or claims, not both/, 2, "alice", "--clear", "--claim", "a=b");
  await refused(/Cannot find the user/, 1, "bob", "--claim", "a=b");
  await refused(/Cannot find the user/, 1, "bob");
  await box.json("user", "claims", "alice", ...CLAIMS);
  const copy = join(box.home, "copy.db");
  await box.run(["backup", copy]);
  Deno.removeSync(box.database);
  assert.equal((await box.run(["restore", copy, "--force"])).code, 0);
  assert.deepEqual((await box.json("user", "claims", "alice")).claims, EXPECTED);
});
