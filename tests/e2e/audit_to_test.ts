import assert from "node:assert/strict";
import { join } from "node:path";
import { Serving } from "../support/http/serving.ts";
import { examined, found } from "../support/commands/doctor.ts";
import { Box, REKEY } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { query, sql } from "../support/store/sql.ts";
import { until } from "../support/timing/pause.ts";

const HOSTILE = 'a\nb\r{"seq":1}"] \\ \u2028';

// The secret was made, and read back.
const ROWS_OF_INIT = 2;

const seqs = (path: string) =>
  Deno.readTextFileSync(path).split("\n").slice(0, -1).map((line) => JSON.parse(line).seq);
const exported = async (box: Box) => (await box.run(["audit", "export"])).stdout;

Deno.test("--audit-to: a file gets the rows of the commands that name it, from the first one on", async () => {
  using box = new Box();
  const path = join(box.home, "a.jsonl");
  const env = { REKEY_AUDIT_TO: path };
  assert.equal((await box.run(["init"], { env })).stderr, "");
  const rotate = ["rotate", "--force", "--reason", HOSTILE, "--audit-to", "./a.jsonl"];
  assert.equal((await box.run(rotate)).code, 0);
  assert.equal(Deno.readTextFileSync(path), await exported(box));
  assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  // A command that does not name it leaves its rows to the next one that does.
  await box.run(["issue", "--sub", "alice"]);
  const [sink] = (await box.json("status")).audit_sinks;
  assert.deepEqual([sink.sink, sink.lag_rows > 0, sink.error], [path, true, null]);
  assert.match(
    (await box.run(["status"])).stdout,
    /^audit sink +\/.*a\.jsonl lacks \d rows, for /m,
  );
  await box.run(["verify", await box.token()], { env });
  assert.equal(Deno.readTextFileSync(path), await exported(box));
  // Another one begins with the rows of its first command, and the checkpoints of the log vouch for the whole file.
  const later = join(box.home, "later.jsonl");
  const { length } = seqs(path);
  await box.run(["issue", "--sub", "alice"], { env: { REKEY_AUDIT_TO: `${path},${later}` } });
  assert.deepEqual(seqs(later), [length + 1]);
  Deno.writeTextFileSync(join(box.home, "notes"), (await box.run(["audit", "checkpoint"])).stdout);
  const key = (await box.run(["audit", "key"])).stdout.trim();
  const check = ["audit", "verify-export", path, "--key", key, "--checkpoint", "notes"];
  assert.equal((await box.run(check)).code, 0);
});

Deno.test("--audit-to: a sink that fails is a warning, and is found by status and doctor; the command has worked", async () => {
  using box = await initialised();
  const socket = join(box.home, "socket");
  const env = { REKEY_AUDIT_TO: `journal:${socket}` };
  const { code, stderr } = await box.run(["rotate", "--force"], { env });
  assert.equal(code, 0);
  assert.equal(stderr.split("\n").filter((line) => line.startsWith("warning:")).length, 1);
  assert.match(
    stderr,
    /^warning: the audit log waits to be sent: Cannot use \/.*socket: it is not there$/m,
  );
  const { what, command } = await found(box, "audit_unsent");
  assert.match(what, /journal:.* has not had \d rows of the audit log: Cannot use/);
  assert.match(command!, /audit sinks --remove journal:/);
  // It hangs: no one accepts.
  using listener = Deno.listen({ transport: "unix", path: socket });
  const began = performance.now();
  const hanging = await box.run(["issue", "--sub", "alice"], { env });
  const took = performance.now() - began;
  assert.equal(hanging.code, 0);
  assert.match(hanging.stderr, /its other end does not read$/m);
  const alone = performance.now();
  await box.run(["issue", "--sub", "alice"]);
  const without = performance.now() - alone;
  // 500 ms, and what a busy machine adds to the rest.
  assert.ok(took < 500 + 10 * without, `${took} ms with it, ${without} ms without`);
  assert.ok(listener.addr);
  const removing = ["audit", "sinks", "--remove", `journal:${socket}`];
  assert.match((await box.run(removing, { env })).stderr, /REKEY_AUDIT_TO names it/);
  assert.match((await box.run(removing)).stdout, /is sent nowhere/);
  assert.equal((await box.run(removing)).code, 2);
  assert.equal(
    (await examined(box)).findings.filter(({ code }) => code === "audit_unsent").length,
    0,
  );
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
  const [line, ...rest] = Deno.readTextFileSync(join(box.home, "out")).split("\n");
  assert.deepEqual([JSON.parse(line!).seq, rest], [ROWS_OF_INIT + 1, [""]]);
  // Descriptors that the runtime has opened itself, such as the database's, are not written to.
  const before = Deno.statSync(box.database).size;
  for (const fd of [8, 12, 20]) {
    const refused = await box.run(["issue", "--sub", "a", "--audit-to", `fd:${fd}`]);
    assert.match(refused.stderr, /it is not open\n$/);
  }
  assert.ok(Deno.statSync(box.database).size >= before);
  assert.equal((await box.run(["audit", "verify"])).code, 0);
});

Deno.test("serve --audit-to sends what other processes log, after its own end too, and tells how far it is", async () => {
  using box = await initialised();
  const [path, missing] = [join(box.home, "a.jsonl"), join(box.home, "folder/b.jsonl")];
  const args = ["--audit-to", path, "--audit-to", missing];
  {
    await using serving = await Serving.start(box, args);
    await box.run(["issue", "--sub", "alice"]);
    await until(() => seqs(path).length === 1);
    await serving.until(() => /waits to be sent: Cannot use \/.*b\.jsonl: /.test(serving.stderr));
    const { audit_sinks: sinks } = await (await serving.get("/status.json")).json();
    assert.deepEqual(
      sinks.map(({ sink, failed }: { sink: string; failed: boolean }) => [sink, failed]),
      [
        ["file:a.jsonl", false],
        ["file:b.jsonl", true],
      ],
    );
    const metrics = await (await serving.get("/metrics")).text();
    assert.match(metrics, /^rekey_audit_sink_lag_rows\{sink="file:a\.jsonl"\} 0$/m);
    assert.match(metrics, /^rekey_audit_sink_lag_rows\{sink="file:b\.jsonl"\} [1-9]$/m);
    assert.match(metrics, /^rekey_audit_sink_lag_seconds\{sink="file:b\.jsonl"\} \d+$/m);
    Deno.mkdirSync(join(box.home, "folder"));
    await serving.until(() => /is sent to \/.*b\.jsonl again$/m.test(serving.stderr));
    assert.equal(serving.stderr.match(/waits to be sent/g)?.length, 1);
    Deno.renameSync(path, `${path}.1`);
    await box.run(["rotate", "--force"]);
    await until(() => seqs(path).length > 0);
    // Killed.
  }
  const token = await box.token();
  await using _again = await Serving.start(box, args);
  await box.run(["verify", token]);
  const all = (await exported(box)).split("\n").slice(ROWS_OF_INIT).join("\n");
  const received = () => Deno.readTextFileSync(`${path}.1`) + Deno.readTextFileSync(path);
  await until(() => received() === all && Deno.readTextFileSync(missing) === all);
});

Deno.test("a restoration of another log: a sink goes on with its row, and neither skips nor repeats", async () => {
  using box = await initialised();
  const path = join(box.home, "a.jsonl");
  const env = { REKEY_AUDIT_TO: path };
  await box.run(["issue", "--sub", "alice"], { env });
  await box.run(["backup", "own.db"], { env });
  using other = await initialised();
  await other.run(["backup", join(box.home, "other.db")]);
  // Its own log stays, and goes on.
  assert.equal((await box.run(["restore", "own.db", "--force"], { env })).code, 0);
  const log = (await exported(box)).split("\n").slice(ROWS_OF_INIT).join("\n");
  assert.equal(Deno.readTextFileSync(path), log);
  // Another one has smaller numbers.
  sql(box, `UPDATE rekey_audit_sinks SET seq = 5000`);
  const args = ["restore", "other.db", "--force", "--new-secret"];
  const { code, stderr } = await box.run(args, { env });
  assert.equal(code, 0, stderr);
  const after = Deno.readTextFileSync(path).slice(log.length).split("\n").slice(0, -1);
  assert.match(JSON.parse(after[0]!).event, /restored/);
  const rows = (await exported(box)).split("\n").slice(0, -1);
  assert.deepEqual(after, rows.slice(-after.length));
  // A machine without a database begins as with a new sink.
  await box.run(["destroy", "--force"]);
  const last = Deno.readTextFileSync(path).length;
  const again = await box.run(["restore", "other.db", "--force", "--new-secret"], { env });
  assert.equal(again.code, 0, again.stderr);
  const [first] = Deno.readTextFileSync(path).slice(last).split("\n");
  assert.match(JSON.parse(first!).event, /restored/);
});
