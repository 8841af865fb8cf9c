import assert from "node:assert/strict";
import { join } from "node:path";
import { Database } from "../../../src/store/sqlite/database.ts";
import { start } from "../../../scripts/program.ts";

/** How many sessions of its own each writer leaves in the database. */
export const KEPT = 40;

const WORKER = new URL("log_stress_worker.ts", import.meta.url).href;

/** What a process did. */
export interface Tally {
  commits: number;
  /** How often it emptied the write-ahead log, and how often others prevented that. */
  emptied: number;
  prevented: number;
  reads: number;
}

/**
 * Has many processes write and read one database in `folder` and empty its log, and checks that it is sound and
 * that every commit is in it.
 *
 * @throws when a process ends before it is asked to.
 */
export async function stressLog(
  folder: string,
  processes: number,
  seconds: number,
): Promise<Tally> {
  const path = join(folder, "a.db");
  prepare(path);
  const readers = Math.ceil(processes / 3);
  const children = Array.from({ length: processes }, (_, index) => {
    if (index >= readers) return worker(path, "writer", `w${index}`);
    return index === 0 ? worker(path, "copier") : worker(path, "reader");
  });
  const outputs = children.map(({ stdout }) => new Response(stdout).text());
  await pauseUnlessEnded(children, seconds);
  await Promise.all(children.map(({ stdin }) => stdin.close()));
  const tallies = (await Promise.all(outputs)).map((text): Tally => JSON.parse(text));
  for (const { success } of await Promise.all(children.map(({ status }) => status))) {
    assert.ok(success);
  }
  check(path, tallies.slice(readers).map(({ commits }, index) => [`w${readers + index}`, commits]));
  const sum = (count: keyof Tally) => tallies.reduce((all, tally) => all + tally[count], 0);
  return {
    commits: sum("commits"),
    emptied: sum("emptied"),
    prevented: sum("prevented"),
    reads: sum("reads"),
  };
}

function worker(path: string, ...args: string[]): Deno.ChildProcess {
  const flags = ["run", "--allow-all", "--no-check", "--quiet"];
  const streams = { stdin: "piped", stdout: "piped", stderr: "inherit" } as const;
  return start(Deno.execPath(), [...flags, WORKER, path, ...args], streams);
}

async function pauseUnlessEnded(children: Deno.ChildProcess[], seconds: number): Promise<void> {
  let timer: number | undefined;
  const over = new Promise((resolve) => timer = setTimeout(resolve, seconds * 1000));
  const ended = Promise.race(children.map(({ status }) => status)).then(() => {
    throw new Error("a process has ended before it was asked to");
  });
  await Promise.race([over, ended]).finally(() => clearTimeout(timer));
  ended.catch(() => {});
}

function prepare(path: string): void {
  const database = Database.open(path);
  database.transaction(() =>
    database.prepare(
      "INSERT INTO rekey_versions (version, kid, state, origin, created_at, synced) VALUES (1, 'AAAAAAAAAAAAAAAA', 'current', 'generated', 1, 1)",
    ).run()
  );
  database.close();
}

function check(path: string, writers: [name: string, commits: number][]): void {
  const database = Database.open(path);
  assert.ok(database.isSound());
  const found = database.prepare(
    "SELECT sub, count(*) AS n, max(issued_at) AS last FROM rekey_sessions GROUP BY sub ORDER BY sub",
  ).all().map(({ sub, n, last }) => [sub, n, last]);
  const expected = writers.filter(([, commits]) => commits > 0)
    .map(([name, commits]) => [name, Math.min(KEPT, commits), commits]);
  assert.deepEqual(found, expected.sort(([a], [b]) => a! < b! ? -1 : 1));
  database.close();
}
