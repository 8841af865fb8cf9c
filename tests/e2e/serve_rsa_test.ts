import assert from "node:assert/strict";
import { ForeignKeys } from "../support/commands/foreign_keys.ts";
import { Serving } from "../support/http/serving.ts";
import { Box } from "../support/process/box.ts";
import { thoroughly } from "../support/process/sample.ts";
import { pause } from "../support/timing/pause.ts";

/**
 * Rotates over HTTP, and asks meanwhile for what the main thread and a request thread answer.
 *
 * @returns the longest wait for an answer, as a share of the rotation.
 */
async function longestWait(box: Box, server: Serving): Promise<number> {
  const token = await box.token("alice", "--scope", "admin");
  let [longest, isOver] = [0, false];
  const began = performance.now();
  const rotating = server.status(server.post("/rotate", {}, token)).finally(() => isOver = true);
  while (!isOver) {
    const asked = performance.now();
    assert.equal(await server.status(server.get("/metrics")), 200);
    assert.ok([204, 401].includes(await server.auth(token)));
    longest = Math.max(longest, performance.now() - asked);
    await pause(20);
  }
  assert.equal(await rotating, 200);
  return longest / (performance.now() - began);
}

// Each key of this size takes seconds; tests/unit/value_ahead_test.ts shows the same of a small one.
async function answersMeanwhile(): Promise<void> {
  using box = new Box({ REKEY_STORE: "database" });
  using keys = new ForeignKeys();
  await keys.make("RS256", "large.pem", "-pkeyopt", "rsa_keygen_bits:4096");
  await box.json("import", "--file", keys.path("large.pem"), "--alg", "RS256");
  await using server = await Serving.start(box, ["--workers", "1"]);
  const waits: number[] = [];
  // Few keys are found so soon that it does not show.
  do waits.push(await longestWait(box, server)); while (waits.at(-1)! > 0.5 && waits.length < 3);
  assert.ok(waits.at(-1)! <= 0.5, `shares of the rotations: ${waits}`);
  const { alg, bits } = await box.json("status");
  assert.deepEqual([alg, bits], ["RS256", 4096]);
}

thoroughly("a server answers while it makes an RSA key for a rotation", answersMeanwhile);
