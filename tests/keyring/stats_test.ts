import assert from "node:assert/strict";
import { KeyringBox } from "../support/keyring/keyring_box.ts";

Deno.test("stats counts verifications, retrievals by place, fallbacks and rotations", async () => {
  await using box = await KeyringBox.start();
  await box.run(["init", "--mirror", "on"]);
  const none = await box.json("stats");
  assert.deepEqual([none.success_rate, none.verifications, none.rotations], [null, {}, 0]);

  const token = await box.token();
  await box.run(["verify", token]);
  await box.run(["verify", "not.a.token"]);
  await box.lock();
  await box.run(["verify", token]);
  await box.unlock();
  await box.run(["rotate", "--force"]);
  await box.run(["verify", token]);

  const { verifications, success_rate, retrieval, fallback_rate, rotations } = await box.json(
    "stats",
  );
  assert.deepEqual(verifications, { malformed: 1, retired_kid: 1, valid: 2 });
  assert.equal(success_rate, 0.5);
  assert.equal(rotations, 1);
  assert.equal(retrieval.database.count, 1);
  assert.ok(retrieval.keyring.count >= 2 && retrieval.keyring.p50_ms > 0);
  assert.ok(retrieval.keyring.p95_ms >= retrieval.keyring.p50_ms);
  assert.equal(fallback_rate, 1 / (1 + retrieval.keyring.count));
});
