import assert from "node:assert/strict";
import { KeptResult } from "../../src/serve/kept_result.ts";
import { HANG_MS, until } from "../support/timing/pause.ts";

/** Work that ends when the test says so, and how often it was begun. */
function work() {
  const runs: PromiseWithResolvers<number>[] = [];
  const begin = () => {
    const run = Promise.withResolvers<number>();
    runs.push(run);
    return run.promise;
  };
  return { runs, begin };
}

Deno.test("a kept result is made in the background, once at a time, and outlives a run that fails", async () => {
  const { runs, begin } = work();
  const kept = new KeptResult(0, begin);
  const untilRuns = (count: number) =>
    until(() => {
      kept.last();
      return runs.length === count;
    });
  assert.equal(kept.last(), undefined);
  assert.equal(kept.last(), undefined);
  assert.equal(runs.length, 1, "it is still running");
  runs[0]!.resolve(7);
  await untilRuns(2);
  assert.equal(kept.last(), 7);
  runs[1]!.reject(new TypeError("a bug"));
  await untilRuns(3);
  assert.equal(kept.last(), 7);
});

Deno.test("a recent result is waited for, though not for long, and a hanging run once only", async () => {
  const { runs, begin } = work();
  const kept = new KeptResult(0, begin);
  const first = kept.recent(HANG_MS);
  const second = kept.recent(HANG_MS);
  runs[0]!.resolve(7);
  assert.deepEqual([await first, await second], [7, 7]);
  assert.equal(await kept.recent(1), 7, "the run that hangs is not waited for");
  let isThere = false;
  void kept.recent(1).then(() => isThere = true);
  // Without a timer: it is there in this turn of the event loop.
  for (let turn = 0; turn < 5; turn++) await null;
  assert.ok(isThere, "nor by each that asks");
  assert.equal(runs.length, 2);
});

Deno.test("a kept result is not made again before its time", async () => {
  const { runs, begin } = work();
  const kept = new KeptResult(600_000, begin);
  kept.last();
  runs[0]!.resolve(7);
  await until(() => kept.last() === 7);
  kept.last();
  assert.equal(runs.length, 1);
});
