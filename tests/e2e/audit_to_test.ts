import assert from "node:assert/strict";
import { join } from "node:path";
import { fileLines, logLines } from "../support/audit/log_lines.ts";
import { found } from "../support/commands/doctor.ts";
import { Serving } from "../support/http/serving.ts";
import { Box, REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { THOROUGH } from "../support/process/sample.ts";
import { query, sql } from "../support/store/sql.ts";
import { until } from "../support/timing/pause.ts";

const HOSTILE = 'a\nb\r{"seq":1}"] \\ \u2028';

const ISSUE = ["issue", "--quiet", "--sub", "alice"];

// The secret was made, and read back.
const ROWS_OF_INIT = 2;

Deno.test("--audit-to: a file gets the rows of the commands that name it, from the first one on", async () => {
  using box = new Box();
  const path = join(box.home, "a.jsonl");
  const env = { REKEY_AUDIT_TO: path };
  assert.equal((await box.run(["init"], { env })).stderr.includes("warning"), false);
  const rotate = ["rotate", "--force", "--reason", HOSTILE, "--audit-to", "./a.jsonl"];
  assert.equal((await box.run(rotate)).code, 0);
  assert.deepEqual(fileLines(path), logLines(box));
  assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  // A command that does not name it leaves its rows to the next one that does.
  const [sink] = (await box.json("status")).audit_sinks;
  assert.deepEqual([sink.sink, sink.lag_rows, sink.error], [path, 0, null]);
  assert.notDeepEqual(fileLines(path), logLines(box));
  // Another one begins with the rows of its first command.
  const [later, { length }] = [join(box.home, "later.jsonl"), logLines(box)];
  await box.run(ISSUE, { env: { REKEY_AUDIT_TO: `${path},${later}` } });
  assert.deepEqual(fileLines(path), logLines(box));
  assert.deepEqual(fileLines(later), logLines(box, length + 1));
});

Deno.test("--audit-to: a sink that fails is a warning, and found by doctor; the command has worked", async () => {
  using box = await initialised();
  const socket = join(box.home, "socket");
  const env = { REKEY_AUDIT_TO: `journal:${socket}` };
  const began = performance.now();
  const { code, stderr } = await box.run(["rotate", "--force"], { env });
  const without = performance.now() - began;
  assert.equal(code, 0);
  assert.equal(stderr.match(/^warning:/gm)?.length, 1);
  assert.match(
    stderr,
    /^warning: the audit log waits .*: Cannot use \/.*socket: it is not there$/m,
  );
  const { what, command } = await found(box, "audit_unsent");
  assert.match(what, /journal:.* has not had \d rows of the audit log: Cannot use/);
  assert.match(command!, /audit sinks --remove journal:/);
  // It hangs: no one accepts.
  using _listener = Deno.listen({ transport: "unix", path: socket });
  const hangs = performance.now();
  const hanging = await box.run(ISSUE, { env });
  const took = performance.now() - hangs;
  assert.equal(hanging.code, 0);
  assert.match(hanging.stderr, /its other end does not read$/m);
  // 500 ms, and what a busy machine adds to the rest.
  assert.ok(took < 500 + 10 * without, `${took} ms with it, ${without} ms without`);
  const removing = ["audit", "sinks", "--remove", `journal:${socket}`];
  assert.match((await box.run(removing, { env })).stderr, /REKEY_AUDIT_TO names it/);
  assert.match((await box.run(removing)).stdout, /is sent nowhere/);
  assert.deepEqual(query(box, "SELECT sink FROM rekey_audit_sinks"), []);
  const [last] = query(box, "SELECT event, reason FROM rekey_audit ORDER BY seq DESC LIMIT 1");
  assert.deepEqual({ ...last }, { event: "Audit sink removed", reason: `journal:${socket}` });
});

Deno.test("--audit-to: a descriptor that is inherited gets lines; a pipe that no one reads holds up nothing", async () => {
  using box = await initialised();
  const script = `"$0" issue --quiet --sub a --audit-to fd:3 3>"$HOME/out" >"$HOME/token" &&
    mkfifo "$HOME/pipe" && exec 4<>"$HOME/pipe" && dd if=/dev/zero bs=65536 count=1 >&4 2>"$HOME/dd" &&
    "$0" issue --quiet --sub a --audit-to fd:4 >"$HOME/token"`;
  const { code, stderr } = await box.exec("/bin/sh", ["-c", script, REKEY]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^warning: .*fd:4: its other end does not read\n$/);
  const rows = ROWS_OF_INIT + 1;
  assert.deepEqual(fileLines(join(box.home, "out")), logLines(box, rows).slice(0, 1));
  // Descriptors that the runtime has opened itself, such as the database's, are not written to.
  for (const fd of THOROUGH ? [7, 8, 10, 12, 14, 16, 20] : [12]) {
    const refused = await box.run([...ISSUE, "--audit-to", `fd:${fd}`]);
    assert.match(refused.stderr, /it is not open\n$/);
  }
});

Deno.test("serve --audit-to sends what other processes log, after its own end too, and tells how far it is", async () => {
  using box = await initialised();
  const [path, missing] = [join(box.home, "a.jsonl"), join(box.home, "folder/b.jsonl")];
  const args = ["--workers", "1", "--audit-to", path, "--audit-to", missing];
  {
    await using serving = await Serving.start(box, args);
    await box.run(ISSUE);
    await until(() => fileLines(path).length === 1);
    await serving.until(() => /waits to be sent: Cannot use \/.*b\.jsonl: /.test(serving.stderr));
    const { audit_sinks: sinks } = await (await serving.get("/status.json")).json();
    assert.deepEqual(
      sinks.map(({ sink, failed }: Record<string, unknown>) => [sink, failed]),
      [["file:a.jsonl", false], ["file:b.jsonl", true]],
    );
    let metrics = "";
    // The server logs what it retrieves itself, and sends it a moment later.
    await until(async () => {
      metrics = await (await serving.get("/metrics")).text();
      return /^rekey_audit_sink_lag_rows\{sink="file:a\.jsonl"\} 0$/m.test(metrics);
    });
    assert.match(metrics, /^rekey_audit_sink_lag_rows\{sink="file:b\.jsonl"\} [1-9]$/m);
    assert.match(metrics, /^rekey_audit_sink_lag_seconds\{sink="file:b\.jsonl"\} \d+$/m);
    Deno.mkdirSync(join(box.home, "folder"));
    await serving.until(() => /is sent to \/.*b\.jsonl again$/m.test(serving.stderr));
    assert.equal(serving.stderr.match(/waits to be sent/g)?.length, 1);
    Deno.renameSync(path, `${path}.1`);
    // Killed, and not running while this is logged.
  }
  await box.run(ISSUE);
  await using _again = await Serving.start(box, args);
  const received = () => [...fileLines(`${path}.1`), ...fileLines(path)];
  const isWhole = (lines: string[]) => lines.join() === logLines(box, ROWS_OF_INIT + 1).join();
  await until(() => isWhole(received()) && isWhole(fileLines(missing)));
});

Deno.test("a restoration of another log: a sink goes on with its row, and neither skips nor repeats", async () => {
  using box = await initialised();
  const path = join(box.home, "a.jsonl");
  const env = { REKEY_AUDIT_TO: path };
  await box.run(ISSUE, { env });
  using other = new Box();
  assert.equal((await other.run(["init"])).code, 0);
  await other.run(["backup", join(box.home, "other.db")]);
  const restores = async (name: string) => {
    const before = fileLines(path).length;
    const { code, stderr } = await box.run(["restore", name, "--force", "--new-secret"], { env });
    assert.equal(code, 0, stderr);
    const rows = fileLines(path).slice(before);
    assert.equal(JSON.parse(rows[0]!).event, "JWT secret restored");
    assert.deepEqual(rows, logLines(box).slice(-rows.length));
  };
  if (THOROUGH) {
    // Its own log stays, and goes on.
    await box.run(["backup", "own.db"], { env });
    await restores("own.db");
    assert.deepEqual(fileLines(path), logLines(box, ROWS_OF_INIT + 1));
  }
  // Another one has smaller numbers.
  sql(box, `UPDATE rekey_audit_sinks SET seq = 5000`);
  await restores("other.db");
  if (!THOROUGH) return;
  // A machine without a database begins as with a new sink.
  await box.run(["destroy", "--force"]);
  await restores("other.db");
});
