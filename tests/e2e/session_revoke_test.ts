import assert from "node:assert/strict";
import { initialised } from "../support/process/initialised.ts";
import { query } from "../support/store/sql.ts";

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
