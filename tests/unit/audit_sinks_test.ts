import assert from "node:assert/strict";
import { AuditSinks, lastSentToAll } from "../../src/audit/sinks.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import type { Installation } from "../../src/store/installation.ts";
import { writeBackup } from "../../src/store/backup_file.ts";
import { Database } from "../../src/store/sqlite/database.ts";
import { sinkFacts } from "../../src/stream/lag.ts";
import { testEnvironment } from "../support/store/environment.ts";

async function withSinks(
  use: (sinks: AuditSinks, installation: Installation) => void | Promise<void>,
) {
  using environment = testEnvironment();
  const manager = new SecretManager(environment);
  await manager.getOrCreate();
  const { installation } = await manager.open();
  const { database } = installation;
  // Up to a row that a sink may have had.
  database.prepare(
    "INSERT INTO rekey_audit SELECT 30, time, event, version, kid, location, duration, actor, reason, hash FROM rekey_audit LIMIT 1",
  ).run();
  try {
    await use(new AuditSinks(database), installation);
  } finally {
    manager.close();
  }
}

Deno.test("rows may be pruned up to the last one that every sink has had", () =>
  withSinks((sinks, { database }) => {
    assert.equal(lastSentToAll(database), undefined);
    sinks.add("journal", 7);
    sinks.add("/var/log/rekey.jsonl", 3);
    assert.equal(lastSentToAll(database), 3);
    sinks.sent("/var/log/rekey.jsonl", 9);
    assert.equal(lastSentToAll(database), 7);
    assert.equal(sinks.remove("journal"), true);
    assert.equal(sinks.remove("journal"), false);
    assert.equal(lastSentToAll(database), 9);
  }));

Deno.test("a sink that is named again stays where it is, and knows since when it has failed", () =>
  withSinks((sinks) => {
    sinks.add("journal", 7);
    sinks.add("journal", 20);
    sinks.failed("journal", 1000, "no such file");
    sinks.failed("journal", 2000, "connection refused");
    const failed = { sink: "journal", seq: 7, failed_at: 1000, error: "connection refused" };
    assert.deepEqual(sinks.find("journal"), failed);
    sinks.sent("journal", 8);
    assert.deepEqual(sinks.all(), [{ ...failed, seq: 8, failed_at: null, error: null }]);
  }));

Deno.test("a sink of which the database says what cannot be begins with the first row", () =>
  withSinks((sinks, { database }) => {
    sinks.add("journal", 3);
    const set = (column: string, value: string) =>
      database.prepare(`UPDATE rekey_audit_sinks SET ${column} = ${value}`).run();
    for (const seq of ["31", "-1", "9223372036854775807", "-9223372036854775808"]) {
      set("seq", seq);
      assert.equal(sinks.find("journal")?.seq, 0, seq);
      assert.equal(lastSentToAll(database), 0, seq);
    }
    set("seq", "30");
    assert.equal(sinks.find("journal")?.seq, 30);
    for (const time of ["-1", "9223372036854775807"]) {
      set("failed_at", time);
      assert.equal(sinks.find("journal")?.failed_at, null, time);
    }
  }));

Deno.test("with another log in its place a sink goes on with the newest row", () =>
  withSinks((sinks, { database }) => {
    sinks.add("journal", 5000);
    sinks.failed("journal", 1000, "no such file");
    sinks.beginAgain();
    const { seq } = database.prepare("SELECT max(seq) AS seq FROM rekey_audit").get()!;
    const { seq: sent, error } = sinks.find("journal")!;
    assert.deepEqual([sent, error], [Number(seq) - 1, null]);
  }));

Deno.test("a backup does not hold how far this machine's sinks are", () =>
  withSinks(async (sinks, { database, environment }) => {
    sinks.add("journal", 1);
    const path = `${environment.folders.data}/copy.db`;
    const info = { app: "agiworkforce", kind: "manual", made_at: "2026-11-30T00:00:00Z" } as const;
    await writeBackup(path, info, false, (partial) => database.copyTo(partial));
    const copy = Database.openAsFound(path);
    assert.equal(lastSentToAll(copy), undefined);
    copy.close();
    assert.equal(lastSentToAll(database), 1);
  }));

Deno.test("a row whose time is no time makes no sink late", () =>
  withSinks((sinks, installation) => {
    sinks.add("journal", 0);
    installation.database.prepare("UPDATE rekey_audit SET time = 'x'").run();
    const [facts] = sinkFacts(installation);
    assert.deepEqual([facts!.lag_rows, facts!.lag_seconds], [30, 0]);
  }));
