/** One process of `log_stress.ts`: `writer NAME`, `reader` or `copier`, on a database, until its stdin ends. */
import assert from "node:assert/strict";
import { Database } from "../../../src/store/sqlite/database.ts";
import { KEPT, type Tally } from "./log_stress.ts";
import { pause } from "../timing/pause.ts";

const [path, kind, name = ""] = Deno.args as [string, keyof typeof KINDS, string?];
const KINDS = { writer, reader, copier };
const SCRUB_EVERY = 7;
const LONG_EVERY = 20;

let running = true;
const tally: Tally = { commits: 0, emptied: 0, prevented: 0, reads: 0 };
Deno.stdin.readable.pipeTo(new WritableStream()).finally(() => running = false);
Deno.stdout.writeSync(new TextEncoder().encode("\n"));
await KINDS[kind]();
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(tally)));

function turn(): Promise<void> {
  return pause(0);
}

/** Sessions that come and go, in tables with foreign keys and partial indexes, and the log emptied in between. */
async function writer(): Promise<void> {
  const database = Database.open(path, { waitMs: 60_000 });
  while (running) {
    write(database, ++tally.commits);
    if (tally.commits % SCRUB_EVERY === 0) {
      if (database.truncateLog(50)) tally.emptied++;
      else tally.prevented++;
    }
    await turn();
  }
  database.close();
}

function write(database: Database, commit: number): void {
  const insert = database.prepare(
    "INSERT INTO rekey_sessions (jti, version, sub, issued_at, expires_at) VALUES (?, 1, ?, ?, ?)",
  );
  database.transaction(() => {
    const jti = (n: number) => `${name} ${n} ${"x".repeat(n % 300)}`;
    insert.run(jti(commit), name, commit, commit + KEPT);
    database.prepare("UPDATE rekey_sessions SET revoked_at = 1 WHERE sub = ? AND issued_at = ?")
      .run(name, commit - 1);
    database.prepare("DELETE FROM rekey_sessions WHERE sub = ? AND issued_at <= ?")
      .run(name, commit - KEPT);
    if (commit % LONG_EVERY !== 0) return;
    // Makes the log longer than what whoever commits next leaves there.
    database.prepare("INSERT INTO rekey_meta VALUES (?, hex(zeroblob(2500000)))").run(name);
    database.prepare("DELETE FROM rekey_meta WHERE key = ?").run(name);
  }, { durable: commit % 2 === 0 });
}

/** Opens and closes it as a command does, and never sees a part of a transaction, nor an older one than before. */
async function reader(): Promise<void> {
  const last = new Map<string, number>();
  while (running) {
    const database = Database.openAsFound(path);
    const rows = database.prepare(
      "SELECT sub, count(*) AS n, max(issued_at) AS last, sum(revoked_at IS NULL) AS live FROM rekey_sessions GROUP BY sub",
    ).all() as { sub: string; n: number; last: number; live: number }[];
    database.close();
    for (const row of rows) {
      assert.deepEqual([row.n, row.live], [Math.min(KEPT, row.last), 1], row.sub);
      assert.ok(row.last >= (last.get(row.sub) ?? 0), `a commit of ${row.sub} is lost`);
      last.set(row.sub, row.last);
    }
    tally.reads++;
    await turn();
  }
}

/** Copies it, which keeps others from emptying the log, and finds each copy sound. */
async function copier(): Promise<void> {
  while (running) {
    const database = Database.open(path);
    const copy = `${path}.copy`;
    await database.copyTo(copy);
    database.close();
    const copied = Database.openAsFound(copy);
    assert.ok(copied.isSound());
    copied.close();
    for (const end of ["", "-wal", "-shm"]) await Deno.remove(copy + end).catch(() => {});
    tally.reads++;
    await pause(500);
  }
}
