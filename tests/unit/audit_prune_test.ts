import assert from "node:assert/strict";
import fc from "fast-check";
import { type AuditEvent, EVENTS } from "../../src/audit/events.ts";
import { gapsBetween } from "../../src/audit/gaps.ts";
import { LogCheckpoints, openCheckpoint } from "../../src/audit/log_checkpoints.ts";
import { TreeHead } from "../../src/audit/merkle.ts";
import { lastRotation, listAudit } from "../../src/audit/reader.ts";
import { exportLine, logParts } from "../../src/audit/log_parts.ts";
import { AuditSinks } from "../../src/audit/sinks.ts";
import { verifyChain } from "../../src/audit/verify_chain.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { orderOf, pruneByPolicy, pruneLog } from "../../src/secret/pruned_log.ts";
import { changeRetention } from "../../src/secret/retention.ts";
import { logKeysOf } from "../../src/secret/signed_log.ts";
import { wasUsed } from "../../src/store/sqlite/was_used.ts";
import { THOROUGH } from "../support/process/sample.ts";
import { type TestEnvironment, testEnvironment } from "../support/store/environment.ts";

const DAY_MS = 86_400_000;
const DAY = 86_400;
const RETRIEVED = EVENTS.retrievedFromDatabase;

/** An open log, whose rows are a day older than each next one. */
async function withLog(environment: TestEnvironment, events: readonly AuditEvent[]) {
  const manager = new SecretManager(environment);
  await manager.getOrCreate();
  await manager.flushNotes();
  const { installation } = await manager.open();
  const { database } = installation;
  const key = await installation.auditKey.read();
  const audit = await installation.audit();
  const log = (event: AuditEvent) => database.transaction(() => audit.append({ event }));
  for (const event of events) {
    environment.advance(DAY_MS);
    log(event);
  }
  const prune = (all?: number, retrievals?: number) =>
    pruneLog(installation, orderOf({ all, retrievals }, installation.now()));
  const signed = () => {
    const keys = logKeysOf(installation, key);
    return openCheckpoint(keys.signer.verifier, new LogCheckpoints(database).make(keys)!)!;
  };
  const gaps = () =>
    gapsBetween(database, 0, 1e9).map(({ first, last }) => `${first}-${last}`).join(" ");
  const verify = () => verifyChain(database, key);
  const close = () => manager.close();
  return { installation, database, key, log, prune, signed, gaps, verify, close };
}

// Rows 1 and 2 are of the creation.
const MIXED: AuditEvent[] = [
  ...[RETRIEVED, RETRIEVED, EVENTS.moved, RETRIEVED, EVENTS.policyChanged],
  ...[RETRIEVED, RETRIEVED, RETRIEVED, EVENTS.moved],
];

Deno.test("pruned retrievals leave a log that verifies, and changes stay", async () => {
  using environment = testEnvironment();
  const log = await withLog(environment, MIXED);
  const before = log.verify().rows;
  const removed = await log.prune(undefined, 2 * DAY);
  assert.ok(removed >= 5);
  const { rows, pruned, bad } = log.verify();
  assert.deepEqual([rows, pruned, bad], [before - removed + 1, removed, null]);
  const left = listAudit(log.database, 100).map(({ event }) => event);
  assert.equal(left.filter((event) => event === RETRIEVED).length, 2, "two are young");
  assert.equal(left.filter((event) => event === EVENTS.moved).length, 2);
  assert.match(
    listAudit(log.database, 1)[0]!.reason!,
    new RegExp(`^${removed} rows: retrievals from before .*Z; gaps sha256:[\\w-]{43}$`),
  );
  log.close();
});

Deno.test("however often and in whatever order it is pruned: the tree stays that of all rows", async () => {
  const step = fc.tuple(
    fc.constantFrom<AuditEvent>(RETRIEVED, EVENTS.moved, EVENTS.rotationCompleted),
    fc.nat(3),
    fc.option(fc.integer({ min: 0, max: 12 })),
    fc.option(fc.integer({ min: 0, max: 12 })),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      using environment = testEnvironment();
      const log = await withLog(environment, []);
      const every = new Map<number, string>();
      const look = () => {
        for (const row of listAudit(log.database, 1e6)) every.set(row.seq, exportLine(row));
      };
      for (const [event, count, all, retrievals] of steps) {
        for (let n = 0; n < count; n++) {
          environment.advance(DAY_MS);
          log.log(event);
        }
        look();
        if (all !== null || retrievals !== null) {
          await log.prune(
            all === null ? undefined : all * DAY,
            retrievals === null ? undefined : retrievals * DAY,
          );
        }
        look();
        assert.equal(log.verify().bad, null);
        const { size, root } = log.signed();
        const tree = new TreeHead();
        for (let seq = 1; seq <= size; seq++) tree.append(every.get(seq)!);
        assert.equal(root, tree.root().toBase64());
        // Without what is known of the tree, it is made from the rows and gaps.
        log.database.prepare("DELETE FROM rekey_audit_tree").run();
        assert.equal(log.signed().root, root);
      }
      log.close();
    }),
    { numRuns: THOROUGH ? 200 : 8 },
  );
});

Deno.test("rows next to a gap join it: one gap for a run of rows", async () => {
  using environment = testEnvironment();
  const log = await withLog(environment, MIXED);
  await log.prune(undefined, 4 * DAY);
  const between = log.gaps().split(" ").length;
  assert.ok(between > 1, log.gaps());
  await log.prune(DAY);
  assert.match(log.gaps(), /^1-\d+$/);
  assert.equal(log.verify().bad, null);
  log.close();
});

Deno.test("the newest row and the last rotation stay, and with any gap the secret counts as used", async () => {
  using environment = testEnvironment();
  const log = await withLog(environment, [EVENTS.rotationCompleted, EVENTS.moved, EVENTS.moved]);
  assert.equal(wasUsed(log.database), false);
  const rotated = lastRotation(log.database);
  environment.advance(DAY_MS);
  await log.prune(0);
  assert.equal(lastRotation(log.database), rotated);
  assert.deepEqual(
    listAudit(log.database, 10).map(({ event }) => event),
    [EVENTS.rotationCompleted, EVENTS.moved, EVENTS.pruned],
  );
  assert.equal(wasUsed(log.database), true);
  assert.equal(log.verify().bad, null);
  log.close();
});

Deno.test("a clock that was ahead keeps no row forever, and one that is behind removes none", async () => {
  using environment = testEnvironment();
  const log = await withLog(environment, [EVENTS.moved]);
  environment.advance(1000 * DAY_MS);
  log.log(EVENTS.moved);
  environment.advance(-990 * DAY_MS);
  for (const _ of [1, 2, 3]) log.log(EVENTS.moved);
  assert.ok(await log.prune(5 * DAY) > 0);
  const { seq } = listAudit(log.database, 10)[0]!;
  // The row of the wrong time goes with those after it.
  environment.advance(10 * DAY_MS);
  await log.prune(5 * DAY);
  assert.ok(listAudit(log.database, 10)[0]!.seq > seq + 1);
  environment.advance(-20_000 * DAY_MS);
  assert.equal(await log.prune(5 * DAY, 5 * DAY), 0);
  log.close();
});

Deno.test("a row that was changed is not pruned: it stays as evidence", async () => {
  for (
    const change of [
      "UPDATE rekey_audit SET actor = 'x' WHERE seq = 4",
      "DELETE FROM rekey_audit WHERE seq = 4",
      "UPDATE rekey_audit_gaps SET hash = 'x'",
    ]
  ) {
    using environment = testEnvironment();
    const log = await withLog(environment, MIXED);
    await log.prune(undefined, 8 * DAY);
    log.database.prepare(change).run();
    const rows = listAudit(log.database, 100).length;
    await assert.rejects(log.prune(0), { code: "check_failed" }, change);
    assert.equal(listAudit(log.database, 100).length, rows);
    assert.notEqual(log.verify().bad, null);
    log.close();
  }
});

Deno.test("who can only write the database cannot pass off a missing row as a pruned one", async () => {
  const forgeries = [
    `DELETE FROM rekey_audit WHERE seq = (SELECT min(first) - 1 FROM rekey_audit_gaps);
     UPDATE rekey_audit_gaps SET first = first - 1
       WHERE first = (SELECT min(first) FROM rekey_audit_gaps)`,
    "UPDATE rekey_audit_gaps SET tree = replace(tree, substr(tree, 1, 1), 'x')",
    "UPDATE rekey_audit_gaps SET seal = (SELECT hash FROM rekey_audit WHERE seq = 1)",
    "DELETE FROM rekey_audit_gaps",
    "DELETE FROM rekey_audit WHERE seq > (SELECT max(last) FROM rekey_audit_gaps)",
    "INSERT INTO rekey_audit_gaps SELECT 1e6, 1e6, hash, tree, seal FROM rekey_audit_gaps LIMIT 1",
    `DELETE FROM rekey_audit WHERE seq = (SELECT max(last) + 1 FROM rekey_audit_gaps);
     UPDATE rekey_audit_gaps SET last = last + 1 WHERE last = (SELECT max(last) FROM rekey_audit_gaps)`,
  ];
  for (const forgery of forgeries) {
    using environment = testEnvironment();
    const log = await withLog(environment, MIXED);
    await log.prune(undefined, DAY);
    assert.equal(log.verify().bad, null);
    for (const statement of forgery.split(";")) log.database.prepare(statement).run();
    assert.notEqual(log.verify().bad, null, forgery);
    log.close();
  }
});

Deno.test("a head of a pruned row is neither held nor broken; that of a gap's last row is compared", async () => {
  using environment = testEnvironment();
  const log = await withLog(environment, MIXED);
  const heads = listAudit(log.database, 100).map(({ seq, hash }) => ({ seq, hash }));
  await log.prune(2 * DAY);
  const [gap] = gapsBetween(log.database, 0, 1e9);
  const within = heads.find(({ seq }) => seq === 2)!;
  const last = heads.find(({ seq }) => seq === gap!.last)!;
  const check = (...expected: typeof heads) => verifyChain(log.database, log.key, expected);
  assert.deepEqual(check(within, last).unknown, [within]);
  assert.equal(check(within, last).bad, null);
  assert.equal(check({ ...last, hash: within.hash }).bad?.seq, last.seq);
  log.close();
});

Deno.test("a retention is carried out once a day, in bounded steps", async () => {
  using environment = testEnvironment();
  const log = await withLog(environment, MIXED);
  const { installation } = log;
  assert.equal(await pruneByPolicy(installation), 0, "without one nothing is removed");
  await changeRetention(installation, () => ({ retrievals: 2 * DAY }), () => "retrievals 2 days");
  assert.equal(listAudit(log.database, 1)[0]!.reason, "retrievals 2 days");
  const { meta } = installation;
  const set = meta.get("audit_retention")!;
  // Who can only write the database must not have rows removed.
  log.database.transaction(() => meta.set("audit_retention", set.replace("172800", "86400")));
  await assert.rejects(pruneByPolicy(installation), { code: "check_failed" });
  log.database.transaction(() => meta.set("audit_retention", set));
  assert.ok(await pruneByPolicy(installation) > 0);
  environment.advance(DAY_MS / 2);
  log.log(RETRIEVED);
  assert.equal(await pruneByPolicy(installation), 0, "there was one today");
  environment.advance(3 * DAY_MS);
  assert.ok(await pruneByPolicy(installation) > 0);
  assert.equal(log.verify().bad, null);
  log.close();
});

Deno.test("a clock that was set years ahead does not cost the log, until the log knows it for a day", async () => {
  using environment = testEnvironment();
  const log = await withLog(environment, MIXED);
  const { installation } = log;
  await changeRetention(installation, () => ({ all: 30 * DAY }), () => "30 days");
  environment.advance(3_650 * DAY_MS);
  log.log(EVENTS.moved);
  assert.equal(await pruneByPolicy(installation), 0);
  environment.advance(DAY_MS / 2);
  assert.equal(await pruneByPolicy(installation), 0);
  environment.advance(-3_650 * DAY_MS);
  assert.equal(await pruneByPolicy(installation), 0, "it was put right");
  environment.advance(3_651 * DAY_MS);
  assert.ok(await pruneByPolicy(installation) > 0);
  log.close();
});

Deno.test("nothing is pruned that a sink has not had", async () => {
  using environment = testEnvironment();
  const log = await withLog(environment, MIXED);
  log.database.transaction(() => new AuditSinks(log.database).add("journal", 5));
  await log.prune(0);
  assert.equal(log.gaps(), "1-5");
  log.close();
});

Deno.test("a log that is pruned while it is read is read again, or its reader told", async () => {
  using environment = testEnvironment();
  const log = await withLog(environment, []);
  log.database.transaction(() => {});
  const audit = await log.installation.audit();
  log.database.transaction(() => {
    for (let n = 0; n < 1_500; n++) audit.append({ event: RETRIEVED });
  });
  environment.advance(DAY_MS);
  const reading = logParts(log.database);
  for (let n = 0; n < 600; n++) reading.next();
  await log.prune(0);
  assert.throws(() => [...reading], { code: "busy" });
  assert.equal(log.verify().bad, null);
  log.close();
});
