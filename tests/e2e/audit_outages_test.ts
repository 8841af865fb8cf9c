import assert from "node:assert/strict";
import { join } from "node:path";
import { Journald } from "../support/audit/journald.ts";
import { fileLines, logLines } from "../support/audit/log_lines.ts";
import { examined } from "../support/commands/doctor.ts";
import { CAN_MOUNT, Mount, unless } from "../support/faults/faults.ts";
import { parse } from "../support/http/metrics.ts";
import { Serving } from "../support/http/serving.ts";
import { initialised } from "../support/process/initialised.ts";
import { until } from "../support/timing/pause.ts";

// Of the longest reasons; more than the page that a file on tmpfs may still fill has room for.
const ROTATIONS = 5;
const REASON = "r".repeat(1_000);

/** Fills a disk to its last byte. */
function fill(path: string): void {
  const full = () => Deno.writeFileSync(path, new Uint8Array(4096), { append: true });
  assert.throws(() => {
    for (;;) full();
  }, /no space left/i);
}

Deno.test(
  "serve --audit-to: while a file's disk is full and the journal is gone, all that tells the lag tells it; then both have every row",
  {
    ignore: unless(CAN_MOUNT, "root, for a small disk"),
  },
  async () => {
    using box = await initialised();
    const [disk, folder] = [join(box.home, "disk"), join(box.home, "journald")];
    Deno.mkdirSync(disk);
    using _mounted = Mount.smallDisk(disk, 64);
    await using journald = await Journald.start(folder);
    const [file, filler] = [join(disk, "audit.jsonl"), join(disk, "filler")];
    const sinks = ["--audit-to", file, "--audit-to", journald.sink];
    await using serving = await Serving.start(box, ["--workers", "1", ...sinks]);
    const lags = async () =>
      (await box.json("status")).audit_sinks.map(({ lag_rows }: { lag_rows: number }) => lag_rows);
    const haveAll = () => until(async () => (await lags()).join() === "0,0", { every: 250 });
    assert.equal((await box.run(["rotate", "--force"])).code, 0);
    await haveAll();

    fill(filler);
    await journald.leave();
    for (let n = 0; n < ROTATIONS; n++) {
      assert.equal((await box.run(["rotate", "--force", "--reason", REASON])).code, 0);
    }
    await serving.until(() => serving.stderr.match(/waits to be sent/g)?.length === 2);
    const { audit_sinks } = await box.json("status");
    const [onDisk, gone] = audit_sinks;
    assert.deepEqual([onDisk.sink, gone.sink], [file, journald.sink]);
    assert.ok(onDisk.lag_rows > 0 && gone.lag_rows >= ROTATIONS, JSON.stringify(audit_sinks));
    assert.match(onDisk.error, /^Cannot use \/.*audit\.jsonl: the disk is full/);
    assert.match(gone.error, /^Cannot use \/.*socket: /);
    const { findings } = await examined(box);
    const unsent = findings.filter(({ code }) => code === "audit_unsent");
    assert.deepEqual(unsent.map(({ what }) => what.split(" has not had ")[0]), [
      file,
      journald.sink,
    ]);
    const metrics = parse(await (await serving.get("/metrics")).text());
    const shown = [...metrics].filter(([name]) => name.startsWith("rekey_audit_sink_lag_rows"));
    assert.deepEqual([shown.length, shown.filter(([, rows]) => rows === 0)], [2, []]);
    // A command that sends has worked too, and warns.
    const { code, stderr } = await box.run(["rotate", "--force", ...sinks]);
    assert.deepEqual(
      [code, stderr.match(/^warning: the audit log waits/gm)?.length],
      [0, 2],
      stderr,
    );
    assert.match(Deno.readTextFileSync(file), /\}\n$/);

    Deno.removeSync(filler);
    await journald.comeBack();
    // The server logs what it retrieves itself, and sends that too.
    await until(async () => {
      const rows = logLines(box, JSON.parse(fileLines(file)[0]!).seq);
      const received = new Set((await journald.received()).map(({ hash }) => hash));
      const hashes = rows.map((row) => JSON.parse(row).hash);
      return fileLines(file).join() === rows.join() && [...received].join() === hashes.join();
    }, { every: 250 });
  },
);
