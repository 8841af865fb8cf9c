import assert from "node:assert/strict";
import { RequestMetrics } from "../../src/serve/metrics.ts";
import { QuietTimes } from "../../src/serve/quiet_times.ts";

/** How many of these times it was due, each with so many requests more than the one before. */
function due(quiet: QuietTimes, ...fresh: number[]): number {
  return fresh.filter((more) => quiet.isDue(counts += more)).length;
}
let counts = 0;
const minute = Array<number>(12).fill(0);

Deno.test("garbage is collected in the first quiet time, and in a quiet minute after many requests", () => {
  counts = 0;
  const quiet = new QuietTimes();
  assert.equal(due(quiet, 500), 0, "busy");
  assert.equal(due(quiet, 5), 1, "the first quiet time");
  assert.equal(due(quiet, ...minute), 0, "few since then");
  assert.equal(due(quiet, 2_000, ...minute.slice(1)), 0, "no minute yet");
  assert.equal(due(quiet, 0), 1, "a minute");
  assert.equal(due(quiet, ...minute, 2_000, ...minute.slice(1), 11, ...minute.slice(1)), 0);
  assert.equal(due(quiet, 10), 1, "a minute without a break");
});

Deno.test("a server that is never quiet does not stop for it, and a few requests are quiet", () => {
  counts = 0;
  const times = Array<number>(300);
  assert.equal(due(new QuietTimes(), ...times.fill(11)), 0);
  counts = 0;
  assert.equal(due(new QuietTimes(), ...times.fill(10)), 1 + Math.floor(2_990 / 1_000));
});

Deno.test("a thread knows how many requests it has answered, of all routes and statuses", () => {
  const metrics = new RequestMetrics();
  assert.equal(metrics.count, 0);
  const of = { method: "GET", status: 200, milliseconds: 1, code: undefined, bug: undefined };
  for (const route of ["/auth", "/auth", "/healthz"]) metrics.served({ ...of, route });
  metrics.served({ ...of, route: "/auth", status: 401 });
  assert.equal(metrics.count, 4);
});
