import assert from "node:assert/strict";
import { join } from "node:path";
import { start } from "../../scripts/program.ts";
import { fileLines, logLines } from "../support/audit/log_lines.ts";
import { REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { Running } from "../support/process/running.ts";
import { query } from "../support/store/sql.ts";
import { until } from "../support/timing/pause.ts";

Deno.test("exec and deliver sync --watch send the audit log, a supervised program's too while it goes on", async () => {
  using box = await initialised();
  // What becomes its program sends before that.
  const path = join(box.home, "a.jsonl");
  const { code } = await box.run(["exec", "--audit-to", path, "--", "/usr/bin/true"]);
  assert.equal(code, 0);
  assert.deepEqual(fileLines(path).map((line) => JSON.parse(line).reason), ["exec true"]);

  const [supervised, watched] = [join(box.home, "exec.jsonl"), join(box.home, "watch.jsonl")];
  const flags = ["--on-rotate", "signal:USR1", "--audit-to", supervised];
  const program = ["/bin/sh", "-c", "trap : USR1; echo ready; while :; do sleep 1; done"];
  await using _running = await Running.start(box, program, { flags });
  const args = ["deliver", "sync", "--watch", "--audit-to", watched];
  const watching = start(REKEY, args, box.surroundings());
  try {
    // A sink is named once the database is open.
    await until(() => query(box, "SELECT sink FROM rekey_audit_sinks").length === 3);
    await box.run(["issue", "--sub", "alice"]);
    const [newest] = logLines(box).slice(-1);
    await until(() => [supervised, watched].every((one) => fileLines(one).at(-1) === newest));
  } finally {
    watching.kill("SIGTERM");
    assert.equal((await watching.status).code, 0);
  }
});
