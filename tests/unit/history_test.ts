import assert from "node:assert/strict";
import { countVerdict } from "../../src/audit/counts.ts";
import {
  type Bucket,
  hasHistoryToRecord,
  historyOf,
  type Period,
  recordHistory,
} from "../../src/audit/history.ts";
import { auditPage } from "../../src/audit/page.ts";
import type { Database } from "../../src/store/sqlite/database.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { type TestEnvironment, testEnvironment } from "../support/store/environment.ts";

const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];

/** A server's clock and database: it runs from minute to minute as `serve` does. */
class Machine implements Disposable {
  #steady: number | undefined;
  now = Date.UTC(2026, 10, 3, 9, 58, 30);

  private constructor(
    private readonly environment: TestEnvironment,
    private readonly manager: SecretManager,
    readonly database: Database,
  ) {
    this.restart();
  }

  static async start(): Promise<Machine> {
    const environment = testEnvironment();
    const manager = new SecretManager(environment);
    await manager.getOrCreate();
    const { installation } = await manager.open();
    return new Machine(environment, manager, installation.database);
  }

  /** Lets time pass, minute by minute; a server that is away records nothing. */
  pass(milliseconds: number, isServing = true): void {
    for (const end = this.now + milliseconds; this.now < end;) {
      const next = Math.min(end, (Math.floor(this.now / MINUTE) + 1) * MINUTE);
      this.now = next;
      if (isServing && next % MINUTE === 0) this.#record(next);
    }
  }

  /** A server starts, which knows nothing of the one before. */
  restart(): void {
    this.#steady = undefined;
    this.#record(Math.floor(this.now / MINUTE) * MINUTE);
  }

  verify(valid: number, refused = 0): void {
    this.database.transaction(() => {
      countVerdict(this.database, "valid", valid);
      if (refused > 0) countVerdict(this.database, "expired", refused);
    });
  }

  retrieve(microseconds: number): void {
    this.database.transaction(() => {
      this.database.prepare(
        `INSERT INTO rekey_audit (time, event, duration, actor, hash)
         VALUES ('', 'JWT secret retrieved from database', ?, '', '')`,
      ).run(microseconds);
      this.database.prepare(
        `INSERT INTO rekey_audit_counts VALUES ('JWT secret retrieved from database', 'database', 1)
         ON CONFLICT DO UPDATE SET count = count + 1`,
      ).run();
    });
  }

  /** What a period says, without what is zero or unknown: `[minutes, hours or days ago, valid, refused]`. */
  seen(period: Period): number[][] {
    const { buckets } = historyOf(this.database, period, this.now);
    return buckets.toReversed().flatMap((bucket, ago) =>
      bucket === null || bucket.valid + bucket.refused === 0
        ? []
        : [[ago, bucket.valid, bucket.refused]]
    );
  }

  total(period: Period): Bucket {
    return historyOf(this.database, period, this.now).total;
  }

  get rows(): number {
    return Number(this.database.prepare("SELECT count(*) AS n FROM rekey_history").get()!.n);
  }

  #record(at: number): void {
    if (hasHistoryToRecord(this.database, at)) {
      this.database.transaction(() => recordHistory(this.database, at, this.#steady));
    }
    this.#steady = at;
  }

  [Symbol.dispose](): void {
    this.manager.close();
    this.environment[Symbol.dispose]();
  }
}

Deno.test("the history has each count in its minute, hour and day", async () => {
  using machine = await Machine.start();
  machine.verify(3, 1);
  assert.deepEqual(machine.seen("hour"), [[0, 3, 1]], "what is under way counts");
  machine.pass(2 * MINUTE);
  assert.deepEqual(machine.seen("hour"), [[2, 3, 1]]);
  machine.pass(30 * MINUTE);
  machine.verify(5);
  machine.pass(MINUTE);
  assert.deepEqual(machine.seen("hour"), [[1, 5, 0], [33, 3, 1]]);
  assert.deepEqual(machine.seen("day"), [[0, 5, 0], [1, 3, 1]]);
  machine.pass(HOUR);
  assert.deepEqual(machine.seen("hour"), []);
  assert.deepEqual(machine.seen("day"), [[1, 5, 0], [2, 3, 1]]);
  machine.pass(2 * DAY);
  machine.verify(7);
  machine.pass(MINUTE);
  assert.deepEqual(machine.seen("90d"), [[0, 7, 0], [2, 8, 1]]);
  assert.deepEqual([machine.total("90d").valid, machine.total("90d").refused], [15, 1]);
});

Deno.test("nothing is written while nothing changes, and old rows leave", async () => {
  using machine = await Machine.start();
  machine.verify(1);
  machine.pass(HOUR + MINUTE);
  const { rows } = machine;
  machine.pass(5 * HOUR);
  assert.equal(machine.rows, rows);
  for (let hour = 0; hour < 24 * 5; hour++) {
    machine.verify(1);
    machine.pass(HOUR);
  }
  // Three hours of minutes, three days of hours, and the days; two rows for each change at most.
  assert.ok(machine.rows < 2 * (2 * 4) + 76 + 10, `${machine.rows} rows`);
  assert.equal(machine.total("day").valid, 23, "each hour but the one that has just begun");
  assert.equal(machine.total("90d").valid, 121);
});

Deno.test("what happened while no server ran is in no minute of the last hour", async () => {
  using machine = await Machine.start();
  machine.verify(1);
  machine.pass(5 * MINUTE);
  machine.verify(1000);
  machine.pass(3 * HOUR, false);
  machine.restart();
  assert.deepEqual(machine.seen("hour"), []);
  assert.equal(machine.total("day").valid, 1001, "the day has it, in the hour of the start");
  machine.verify(2);
  machine.pass(MINUTE);
  assert.equal(machine.total("hour").valid, 2);
});

Deno.test("a clock that was ahead and an older copy of the database do no harm", async () => {
  using machine = await Machine.start();
  machine.now += 400 * DAY;
  machine.verify(1);
  machine.pass(MINUTE);
  machine.now -= 400 * DAY;
  machine.restart();
  machine.verify(4);
  machine.pass(2 * MINUTE);
  assert.equal(machine.total("hour").valid, 5, "nothing is lost");
  machine.database.transaction(() =>
    machine.database.prepare("UPDATE rekey_verifications SET count = 0").run()
  );
  machine.pass(MINUTE);
  assert.equal(machine.total("hour").valid, 0);
  machine.verify(6);
  machine.pass(MINUTE);
  assert.deepEqual(machine.seen("hour")[0], [1, 6, 0]);
});

Deno.test("times are those of the retrievals of each interval", async () => {
  using machine = await Machine.start();
  for (let n = 1; n <= 20; n++) machine.retrieve(n * 1000);
  machine.pass(2 * MINUTE);
  machine.retrieve(50_000);
  const { buckets, total } = historyOf(machine.database, "hour", machine.now);
  const times = (bucket: Bucket | null | undefined) => [bucket?.p50_ms, bucket?.p95_ms];
  assert.deepEqual(times(buckets.at(-1)), [50, 50]);
  assert.deepEqual(times(buckets.at(-3)), [10, 19]);
  assert.deepEqual(times(buckets.at(-2)), [null, null]);
  assert.deepEqual([...times(total), total.retrievals], [11, 20, 21]);
});

Deno.test("pages of the audit log reach every row, and one page looks at few", async () => {
  using machine = await Machine.start();
  const { database } = machine;
  const first = auditPage(database, {}).rows.length;
  database.transaction(() =>
    database.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 45000)
       INSERT INTO rekey_audit (time, event, actor, hash)
       SELECT '', iif(i % 20000 = 1, 'rare', 'frequent'), 'x', '' FROM n`,
    ).run()
  );
  const seen: number[] = [];
  let pages = 0;
  for (let before: number | null = Number.MAX_SAFE_INTEGER; before !== null; pages++) {
    const page = auditPage(database, { event: ["RARE"], before });
    seen.push(...page.rows.map(({ seq }) => seq));
    before = page.before;
  }
  assert.deepEqual(seen, [40_001 + first, 20_001 + first, 1 + first]);
  assert.equal(pages, 3);
  const newest = auditPage(database, {});
  assert.deepEqual([newest.rows.length, newest.before], [20, 45_000 + first - 19]);
});
