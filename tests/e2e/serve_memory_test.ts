import assert from "node:assert/strict";
import { Serving } from "../support/http/serving.ts";
import { initialised } from "../support/process/initialised.ts";
import { until } from "../support/timing/pause.ts";

// More than what makes it worth the pause: `src/serve/quiet_times.ts`.
const REQUESTS = 1_500;

// Without its quiet times a server gives none back.
const GIVEN_BACK_MIB = 3;

/** The memory of a process that is no file's, in MiB. */
function ownMemory(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/RssAnon:\s+(\d+)/.exec(status)![1]) / 1024;
}

Deno.test("a server gives back in a quiet time what a busy one has left, and goes on", async () => {
  using box = await initialised();
  const token = await box.token();
  await using serving = await Serving.start(box, ["--workers", "2", "--no-access-log"]);
  const { pid } = serving.process;
  for (let n = 0; n < REQUESTS; n++) assert.equal(await serving.auth(token), 204);
  const busy = ownMemory(pid);
  const otherwise = () => `${busy} MiB before, and now ${ownMemory(pid)}`;
  await until(() => ownMemory(pid) < busy - GIVEN_BACK_MIB, { within: 60_000, otherwise });
  assert.equal(await serving.auth(token), 204);
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
  assert.equal(await serving.auth(token), 401);
});
