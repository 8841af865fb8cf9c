import assert from "node:assert/strict";
import type { Handout } from "../../src/cli/exec/handout.ts";
import { HandoutNote } from "../../src/cli/exec/handout_note.ts";
import type { Output } from "../../src/cli/output.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { type TestEnvironment, testEnvironment } from "../support/store/environment.ts";
import { connect, query, type Row } from "../support/store/sql.ts";

/** A note of a program, with what it warns of. */
async function noted(
  work: (given: {
    readonly note: HandoutNote;
    readonly handout: Handout;
    readonly warnings: string[];
    readonly path: string;
    readonly rows: () => Row[];
    readonly environment: TestEnvironment;
  }) => Promise<void>,
): Promise<void> {
  using environment = testEnvironment();
  const secrets = new SecretManager({ ...environment, waitMs: 0 });
  try {
    await secrets.getOrCreate();
    const { installation, version: { kid } } = await secrets.open();
    const { path } = installation.database;
    const warnings: string[] = [];
    const output = { warning: (text: string) => warnings.push(text) } as unknown as Output;
    const program = { name: "sh", path: "/bin/sh", args: [] };
    const handout = { program, kid, previous: undefined, variables: {}, absent: [], written: true };
    const note = new HandoutNote(secrets, output, () => undefined);
    const rows = () => query(path, "SELECT pid, kid FROM rekey_exec");
    await work({ note, handout, warnings, path, rows, environment });
  } finally {
    secrets.close();
  }
}

/** Does something while another process writes to the database. */
async function whileLocked(path: string, work: () => Promise<void>): Promise<void> {
  using sqlite = connect(path);
  sqlite.exec("BEGIN IMMEDIATE");
  await work();
  sqlite.exec("ROLLBACK");
}

async function timeOf(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

Deno.test("a program is named by its exec until its own process is recorded", () =>
  noted(async ({ note, handout, warnings, rows }) => {
    await note.begin(handout);
    assert.deepEqual(rows().map(({ pid }) => pid), [Deno.pid]);
    await note.write(Deno.ppid, handout);
    assert.deepEqual(rows().map(({ pid }) => pid), [Deno.ppid]);
    await note.delete();
    assert.deepEqual([rows(), warnings], [[], []]);
  }));

Deno.test("at no time both exec and its program are recorded", () =>
  noted(async ({ note, handout, warnings, path, rows }) => {
    await note.begin(handout);
    using sqlite = connect(path);
    sqlite.exec(`CREATE TRIGGER both AFTER INSERT ON rekey_exec
      WHEN (SELECT count(*) FROM rekey_exec) > 1 BEGIN SELECT RAISE(ABORT, 'both'); END`);
    await note.write(Deno.ppid, handout);
    assert.deepEqual(rows().map(({ pid }) => pid), [Deno.ppid]);
    assert.deepEqual(warnings, []);
  }));

Deno.test("a program that cannot be recorded is still named by its exec, without a warning", () =>
  noted(async ({ note, handout, warnings, path, rows }) => {
    await note.begin(handout);
    await whileLocked(path, () => note.write(Deno.ppid, handout));
    assert.deepEqual(rows().map(({ pid }) => pid), [Deno.pid]);
    assert.deepEqual(warnings, []);
    await note.delete();
    assert.deepEqual(rows(), []);
  }));

Deno.test("a program that is named by nothing is warned of once, and waited for once", () =>
  noted(async ({ note, handout, warnings, path, rows }) => {
    await whileLocked(path, async () => {
      const waited = await timeOf(() => note.begin(handout));
      assert.deepEqual(warnings, []);
      const later = [
        await timeOf(() => note.write(Deno.ppid, handout)),
        await timeOf(() => note.makeUp()),
        await timeOf(() => note.makeUp()),
      ];
      // A busy machine may stop one of them.
      assert.ok(Math.min(...later) < waited / 2, `${waited} ms, then ${later.join()}`);
    });
    assert.equal(warnings.length, 1);
    assert.deepEqual(rows(), []);
    // Later it is recorded all the same.
    await note.makeUp();
    await note.makeUp();
    assert.equal(warnings.length, 1);
    assert.deepEqual(rows().map(({ pid }) => pid), [Deno.ppid]);
  }));

Deno.test("a program is recorded in a database that has taken the place of the one that knew of it", () =>
  noted(async ({ note, handout, warnings, rows, environment }) => {
    await note.write(Deno.ppid, handout);
    const other = new SecretManager(environment);
    await other.destroy();
    await other.getOrCreate();
    other.close();
    assert.deepEqual(rows(), []);
    assert.equal(await note.setKeys(undefined), true);
    assert.deepEqual(rows().map(({ pid }) => pid), [Deno.ppid]);
    assert.deepEqual(warnings, []);
    await note.delete();
    assert.deepEqual(rows(), []);
  }));
