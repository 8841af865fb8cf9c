import assert from "node:assert/strict";
import { initialised } from "../support/process/initialised.ts";
import { query } from "../support/store/sql.ts";
import { haveUsers } from "../support/store/users.ts";

Deno.test("session: what a rotation had ended is not counted, nor ended again", async () => {
  using box = await initialised();
  await box.token("a");
  await box.run(["rotate", "--force"]);
  const { jti: graceful } = await box.json("issue", "--sub", "a");
  await box.run(["rotate", "--force", "--grace", "1h"]);
  const { jti } = await box.json("issue", "--sub", "b");
  const [first] = query(box, "SELECT jti FROM rekey_sessions WHERE version = 1");
  const late = await box.run(["session", "revoke", first!.jti]);
  assert.equal(late.code, 1);
  assert.match(late.stderr, /no open session has that jti/);
  const { ended } = await box.json("session", "revoke", "--user", "a", "--user", "b");
  assert.equal(ended, 2, "one in a grace window, one of the current version");
  assert.equal((await box.run(["session", "revoke", graceful])).code, 1);
  assert.equal((await box.run(["session", "revoke", jti])).code, 1);
  assert.equal((await box.json("session", "revoke", "--user", "a")).ended, 0);
});

Deno.test("session: a misspelt user is an error like an unknown jti, ends nothing and is not in the log", async () => {
  using box = await initialised();
  await box.token("alice");
  await haveUsers(box, ["idle"]);
  for (const users of [["alcie"], ["alice", "alcie"]]) {
    const given = users.flatMap((user) => ["--user", user]);
    const { code, stderr } = await box.run(["session", "revoke", ...given]);
    assert.equal(code, 1);
    assert.match(stderr, /Cannot end the sessions: .*no such user/);
    assert.equal(stderr.includes("(--user number 2)"), users.length > 1);
    // It may be a token, given by mistake.
    assert.ok(!stderr.includes("alcie"));
    assert.match(stderr, /No session was ended/);
  }
  const log = async () => (await box.run(["audit", "list", "--event", "sessions"])).stdout;
  assert.doesNotMatch(await log(), /revoked/);
  // A user may have no session, and a subject that is no user may have had one.
  assert.equal((await box.json("session", "revoke", "--user", "idle")).ended, 0);
  assert.equal((await box.json("session", "revoke", "--user", "alice")).ended, 1);
  assert.equal((await box.json("session", "revoke", "--user", "alice")).ended, 0);
  assert.match(await log(), /sessions of idle/);
});
