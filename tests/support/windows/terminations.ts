import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { temporary } from "../process/box.ts";
import { pause } from "../timing/pause.ts";
import type { WindowsBox } from "./box.ts";
import { connect } from "../store/sql.ts";
import { start } from "../../../scripts/program.ts";

/** Where a rotation stood when it was ended. */
export type Found = "before begin" | "begin to commit" | "after commit" | "done";

/** What a series of terminations came to. */
export interface TerminationReport {
  terminations: number;
  /** Rotations that ended before they could be terminated. */
  survived: number;
  found: Record<Found, number>;
}

interface Known {
  readonly version: number;
  readonly token: string;
}

/**
 * Terminates `rekey rotate` so many times: in turn by Windows' own TerminateProcess, some time after its start, and
 * from outside, when it has written to the database's log up to eight times. After each it checks that the machine has exactly one
 * secret, in one place, that the next command works, and which tokens verify.
 *
 * @param random says when: numbers from 0 to below 1.
 */
export async function terminateRotations(
  box: WindowsBox,
  times: number,
  random = Math.random,
): Promise<TerminationReport> {
  const found = { "before begin": 0, "begin to commit": 0, "after commit": 0, done: 0 };
  const report: TerminationReport = { terminations: 0, survived: 0, found };
  const length = await durationOf(() => box.run(["rotate", "--force"]));
  let known: Known = { version: (await box.json("status")).version, token: await box.token() };
  while (report.terminations < times) {
    const survived = report.terminations % 2 === 0
      ? await terminate(box, () => byWindows(box, 0.6 * length * random()))
      : await terminate(
        box,
        (rotating) => whenItWrites(box, 1 + Math.floor(8 * random()), rotating),
      );
    report[survived ? "survived" : "terminations"]++;
    const state = stateOf(box, known.version);
    report.found[state]++;
    assert.ok(
      !survived || state === "done",
      `a rotation that said so must have happened: ${state}`,
    );
    known = await check(box, known);
  }
  assert.equal((await box.json("verify", known.token)).valid, true);
  assert.equal((await box.json("audit", "verify")).valid, true);
  return report;
}

async function durationOf(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

/** Answers whether the rotation was faster. */
async function terminate(
  box: WindowsBox,
  how: (rotating: Deno.ChildProcess) => Promise<unknown>,
): Promise<boolean> {
  const [program, ...args] = [...box.rekey, "rotate", "--force"];
  const rotating = start(program!, args, {
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", ...box.env },
    stdout: "piped",
    stderr: "piped",
  });
  const ending = rotating.output();
  await how(rotating);
  const { stdout, stderr } = await ending;
  const [said, error] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.doesNotMatch(error!, /^error/m);
  return said!.includes("no longer verifies");
}

// taskkill /f calls TerminateProcess. It refuses when there is no such program any more.
async function byWindows(box: WindowsBox, after: number) {
  await pause(after);
  await box.exec("taskkill", ["/f", "/im", "rekey.exe"]);
}

async function whenItWrites(box: WindowsBox, times: number, rotating: Deno.ChildProcess) {
  let ended = false;
  rotating.status.then(() => ended = true);
  for (let seen = 0, before = writtenBy(box); seen < times && !ended; await pause(1)) {
    const now = writtenBy(box);
    if (now !== before) seen++;
    before = now;
  }
  if (!ended) rotating.kill("SIGKILL");
  await rotating.status;
}

/** Changes when the database's log is written to. */
function writtenBy(box: WindowsBox): string {
  try {
    const { size, mtime } = Deno.statSync(`${box.database}-wal`);
    return `${size} ${mtime?.getTime()}`;
  } catch {
    return "none";
  }
}

/** Looks at a copy of the database: what the termination has left is the next command's to tidy up. */
function stateOf(box: WindowsBox, before: number): Found {
  const { states, keys, scrub, unsynced } = look(box);
  const kept = states.filter(({ state }) => state !== "retired");
  if (kept.some(({ state }) => state === "pending")) return "begin to commit";
  const current = kept.find(({ state }) => state === "current");
  if (current?.version === before) return "before begin";
  assert.ok(keys.length <= 1, "one row at most");
  return scrub || unsynced ? "after commit" : "done";
}

function look(box: WindowsBox) {
  const folder = temporary();
  try {
    for (const end of ["", "-wal"]) {
      const file = `${box.database}${end}`;
      if (existsSync(file)) Deno.copyFileSync(file, join(folder, `copy.db${end}`));
    }
    const sqlite = connect(join(folder, "copy.db"));
    const all = (sql: string) => sqlite.prepare(sql).all();
    const states = all("SELECT version, state, synced FROM rekey_versions");
    const keys = all("SELECT key FROM settings").map(({ key }) => key);
    const scrub = all("SELECT 1 FROM rekey_meta WHERE key = 'scrub_pending'").length > 0;
    sqlite.close();
    return { states, keys, scrub, unsynced: states.some(({ synced }) => synced === 0) };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Checks a machine after a termination. A new token is verified after the next one. */
async function check(box: WindowsBox, before: Known): Promise<Known> {
  // The next command, whatever it is, finishes or undoes.
  const verdict = await box.json("verify", before.token);
  if (!verdict.valid) assert.equal(verdict.code, "retired_kid");
  const version = await checkPlaces(box);
  // The number of a rotation that was undone is not used again.
  assert.ok(verdict.valid ? version === before.version : version > before.version, `${version}`);
  return verdict.valid ? before : { version, token: await box.token() };
}

/** Answers the version of the secret. */
async function checkPlaces(box: WindowsBox): Promise<number> {
  const { states, keys } = look(box);
  const kept = states.filter(({ state }) => state !== "retired");
  assert.deepEqual(kept.map(({ state }) => state), ["current"]);
  const credentials = await box.credentials();
  const inKeyring = box.env.REKEY_STORE === undefined;
  assert.deepEqual(keys, inKeyring ? [] : ["jwt_secret"]);
  assert.deepEqual(credentials, inKeyring ? ["agiworkforce.jwt_secret"] : []);
  return Number(kept[0]!.version);
}
