import assert from "node:assert/strict";
import { join } from "node:path";
import { start } from "../../scripts/program.ts";
import { type Box, REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { Running } from "../support/process/running.ts";
import { until } from "../support/timing/pause.ts";

/** The rows that a file has. */
function rows(path: string): string[] {
  try {
    return Deno.readTextFileSync(path).split("\n").slice(0, -1);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Waits until a file has the newest row of the log. */
async function getsNewRows(box: Box, path: string): Promise<void> {
  await box.run(["issue", "--sub", "alice"]);
  const newest = (await box.run(["audit", "export"])).stdout.split("\n").at(-2);
  await until(() => rows(path).at(-1) === newest);
}

Deno.test("exec --audit-to sends the row of its program before it becomes that", async () => {
  using box = await initialised();
  const path = join(box.home, "a.jsonl");
  const { code } = await box.run(["exec", "--audit-to", path, "--", "/usr/bin/true"]);
  assert.equal(code, 0);
  assert.deepEqual(rows(path).map((line) => JSON.parse(line).reason), ["exec true"]);
});

Deno.test("exec --on-rotate and deliver sync --watch send what any process logs, while they go on", async () => {
  using box = await initialised();
  const [supervised, watched] = [join(box.home, "exec.jsonl"), join(box.home, "watch.jsonl")];
  const flags = ["--on-rotate", "signal:USR1", "--audit-to", supervised];
  const program = ["/bin/sh", "-c", "trap : USR1; echo ready; while :; do sleep 1; done"];
  await using _running = await Running.start(box, program, { flags });
  const args = ["deliver", "sync", "--watch", "--audit-to", watched];
  const watching = start(REKEY, args, box.surroundings());
  try {
    // It is named once the database is open.
    await until(async () => (await box.json("status")).audit_sinks.length === 2);
    await getsNewRows(box, supervised);
    await getsNewRows(box, watched);
  } finally {
    watching.kill("SIGTERM");
    assert.equal((await watching.status).code, 0);
  }
});
