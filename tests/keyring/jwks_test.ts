import assert from "node:assert/strict";
import { KeyringBox } from "../support/keyring/keyring_box.ts";
import { Serving } from "../support/http/serving.ts";
import { until } from "../support/timing/pause.ts";

const SET = "/.well-known/jwks.json";
const ROTATE = ["rotate", "--force"];

Deno.test("with a locked keyring there is no set, not even an empty one; later the whole one", async () => {
  await using box = await KeyringBox.start();
  for (const made of [["init", "--alg", "ES256"], [...ROTATE, "--alg", "RS256", "--grace", "1h"]]) {
    const { code, stderr } = await box.run(made);
    assert.equal(code, 0, stderr);
  }
  const set = await box.json("jwks");
  assert.equal(set.keys.length, 2);
  await box.lock();
  const refused = await box.run(["jwks"]);
  assert.deepEqual([refused.code, refused.stdout], [4, ""]);
  assert.match(refused.stderr, /locked/);
  await using serving = await Serving.start(box, ["--workers", "1"]);
  const response = await serving.get(SET);
  assert.equal(response.status, 503);
  assert.equal(response.headers.get("cache-control"), "no-store, no-transform");
  assert.equal((await response.json()).code, "keyring_locked");
  await box.unlock();
  await until(async () => await serving.status(serving.get(SET)) === 200);
  assert.deepEqual(await (await serving.get(SET)).json(), set);
  // It is kept for as long as the versions are the same.
  await box.lock();
  assert.deepEqual(await (await serving.get(SET)).json(), set);
  const revoked = await box.run(["revoke"]);
  assert.equal(revoked.code, 0, revoked.stderr);
  assert.equal((await (await serving.get(SET)).json()).keys.length, 1);
});
