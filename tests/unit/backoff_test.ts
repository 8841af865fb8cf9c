import assert from "node:assert/strict";
import { isRekeyError, RekeyError } from "../../src/core/errors.ts";
import { SingleFlight } from "../../src/core/async.ts";
import { Backoff } from "../../src/core/backoff.ts";
import { pause } from "../support/timing/pause.ts";

Deno.test("a backoff grows with each refusal after it, not with those during it, and ends with a success", () => {
  let now = 0;
  const backoff = new Backoff(() => now);
  const locked = new RekeyError("keyring_locked", "Cannot");
  const lengthOf = () => {
    for (let many = 0; many < 40; many++) backoff.failed(locked);
    const start = now;
    while (backoff.isOn) now += 100;
    return now - start;
  };
  assert.deepEqual([1, 2, 3, 4, 5, 6].map(lengthOf), [500, 1000, 2000, 4000, 5000, 5000]);
  assert.equal(backoff.failure, locked);
  backoff.succeeded();
  assert.equal(backoff.failure, undefined);
  backoff.failed(locked);
  assert.ok(isRekeyError(backoff.failure, "keyring_locked"));
  assert.ok(backoff.isOn);
});

Deno.test("those who ask for the same share one task; the next one asks again", async () => {
  const flight = new SingleFlight<number>();
  let runs = 0;
  const task = async () => {
    await pause(5);
    return ++runs;
  };
  assert.deepEqual(await Promise.all([flight.once("a", task), flight.once("a", task)]), [1, 1]);
  assert.equal(await flight.once("b", task), 2);
  await assert.rejects(flight.once("a", () => Promise.reject(new Error("no"))));
  assert.equal(await flight.once("a", task), 3);
});
