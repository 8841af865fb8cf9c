import assert from "node:assert/strict";
import { join } from "node:path";
import { ACCOUNT, KeyringBox } from "../keyring/keyring_box.ts";
import { type Box, REKEY } from "../process/box.ts";
import { query, queryRow } from "../store/sql.ts";
import { kidOfValue } from "../store/values.ts";
import { type CrashReport, type KillOnce, type Phase, RotationKills } from "./kill_series.ts";

/** System calls that end a step: what was written is on the disk, or the keyring was asked. */
const STEPS = "fsync,fdatasync,ftruncate,sendmsg";

/** System calls that leave something behind: each of them is a moment to be killed at. */
const CALLS = `pwrite64,${STEPS}`;

/**
 * Kills `rekey rotate` again and again with SIGKILL, and checks after each kill that the machine has exactly one secret,
 * that the next command works, and which tokens verify.
 */
export async function killRotations(
  box: Box,
  kills: number,
  random = Math.random,
): Promise<CrashReport> {
  let machine = { version: (await box.json("status")).version, token: await box.token() };
  let length = await durationOf(box);
  machine = { version: machine.version + 1, token: await box.token() };
  const killOnce: KillOnce = async (call) => {
    const began = performance.now();
    const ended = call === undefined
      ? await killAtTime(box, length * (0.4 + 0.7 * random()))
      : await killAtCall(box, call);
    // The machine may have stood still when it was measured first.
    if (call === undefined && !ended.killed) length = secondsSince(began);
    const phase = phaseOf(box, machine.version);
    assertHappened(ended, phase);
    machine = await checkMachine(box, machine.version, machine.token);
    return { killed: ended.killed, phase };
  };
  const series = new RotationKills();
  await series.run(kills, killOnce);
  await series.reachAll(killOnce);
  return series.report;
}

/** Fails for a rotation that has ended by itself and did not happen. */
export function assertHappened({ killed, stderr }: Killed, phase: Phase): void {
  // A keyring that fails after the commit leaves something to the next command, and a warning.
  const isDone = phase === "done" || (phase === "after commit" && stderr.includes("warning"));
  assert.ok(killed || isDone, `a rotation that exited 0 must have happened: ${phase}, ${stderr}`);
}

/** How a command ended that was to be killed, and what it said. */
export interface Killed {
  readonly killed: boolean;
  readonly stderr: string;
}

/** Kills a command right before its n-th system call of some; it may end before that. */
export async function killAtCall(
  box: Box,
  call: number,
  args = ["rotate", "--force"],
  calls = CALLS,
): Promise<Killed> {
  const inject = `inject=${calls}:signal=SIGKILL:when=${call}`;
  const flags = ["-f", "-qq", "-e", `trace=${calls}`, "-e", inject, "-o", "/dev/null"];
  const { code, stderr } = await box.exec("/usr/bin/strace", [
    ...flags,
    REKEY,
    ...args,
  ]);
  return wasKilled(code, stderr);
}

/**
 * Kills `rekey destroy` right before every `stride`-th system call of those that leave something behind, and fifteen times
 * as densely before those that end a step, and checks that the next command finishes it or that nothing was lost.
 *
 * @returns how many kills there were.
 */
export async function killDestructions(box: Box, stride: number): Promise<number> {
  return await killDestructionsAt(box, STEPS, Math.ceil(stride / 15)) +
    await killDestructionsAt(box, CALLS, stride);
}

async function killDestructionsAt(box: Box, calls: string, stride: number): Promise<number> {
  for (let call = 1, kills = 0;; call += stride, kills++) {
    const { kid } = await box.json("init");
    const { killed } = await killAtCall(box, call, ["destroy", "--force"], calls);
    const after = await box.json("init");
    assert.equal(after.version, 1);
    assert.equal((await box.json("verify", await box.token())).kid, after.kid);
    if (!killed) {
      assert.notEqual(after.kid, kid);
      return kills;
    }
  }
}

/**
 * Kills `rekey store move` to the other location right before its n-th system call, for every
 * `stride`-th n and both ways, and checks that every token stays valid and that the value is in one place only.
 *
 * @returns how many kills there were.
 */
export async function killMoves(box: KeyringBox, stride: number): Promise<number> {
  const token = await box.token();
  let kills = 0;
  for (const to of ["database", "keyring"]) {
    for (let call = 1, killed = true; killed; call += stride) {
      ({ killed } = await killAtCall(box, call, ["store", "move", to]));
      kills += Number(killed);
      // The next command finishes or undoes.
      const { location, kid } = await box.json("status");
      if (!killed) assert.equal(location, to);
      assert.equal((await box.json("verify", token)).kid, kid);
      await checkPlaces(box, kid, location);
      // Back, so that the next kill meets the same situation.
      if (location === to && killed) {
        await box.json("store", "move", to === "keyring" ? "database" : "keyring");
      }
    }
  }
  return kills;
}

/**
 * Kills `rekey restore --force` of a backup with version 1 on a machine with version 2 right before its n-th
 * system call, for every `stride`-th n, and checks that the machine has one of the two, whole.
 *
 * @returns how many kills there were.
 */
export async function killRestorations(box: KeyringBox, stride: number): Promise<number> {
  const { kid: older } = await box.json("status");
  const backup = join(box.home, "backup.db");
  const identity = join(box.home, "identity");
  await box.exec("age-keygen", ["-o", identity]);
  const recipient = (await box.exec("age-keygen", ["-y", identity])).stdout.trim();
  await box.run(["backup", backup, "--with-secret", "--recipient", recipient]);
  const restore = ["restore", backup, "--force", "--identity-file", identity];
  const { kid: newer } = await box.json("rotate", "--force");
  let kills = 0;
  for (let call = 1, current = newer;; call += stride) {
    const { killed } = await killAtCall(box, call, restore);
    const { kid, location } = await box.json("status");
    assert.ok(killed ? kid === older || kid === current : kid === older, "one of the two");
    assert.equal((await box.json("verify", await box.token())).kid, kid);
    await checkPlaces(box, kid, location);
    assert.equal((await box.json("audit", "verify")).valid, true);
    if (!killed) return kills;
    kills++;
    if (kid === older) current = (await box.json("rotate", "--force")).kid;
  }
}

const secondsSince = (began: number) => (performance.now() - began) / 1000;

/** How long a command takes, in seconds. */
export async function durationOf(box: Box, args = ["rotate", "--force"]): Promise<number> {
  const began = performance.now();
  await box.run(args);
  return secondsSince(began);
}

/** Kills a command after a time, in seconds; it may end before that. */
export async function killAtTime(
  box: Box,
  seconds: number,
  args = ["rotate", "--force"],
): Promise<Killed> {
  const flags = ["--signal=KILL", seconds.toFixed(4)];
  const { code, stderr } = await box.exec("/usr/bin/timeout", [...flags, REKEY, ...args]);
  return wasKilled(code, stderr);
}

// Any other end than these two is a failure of its own.
function wasKilled(code: number, stderr: string): Killed {
  assert.ok(code === 0 || code === 137, `the command ended with ${code}: ${stderr}`);
  return { killed: code === 137, stderr };
}

/** Where a rotation of version `before` stood when it ended. */
export function phaseOf(box: Box, before: number): Phase {
  const rows = query(box, "SELECT version, state, synced FROM rekey_versions ORDER BY version");
  const scrub = queryRow(box, "SELECT 1 FROM rekey_meta WHERE key = 'scrub_pending'");
  if (rows.some(({ state }) => state === "pending")) return "begin to commit";
  const current = rows.find(({ state }) => state === "current");
  if (current?.version === before) return "before begin";
  return scrub !== undefined || rows.some(({ synced }) => synced === 0) ? "after commit" : "done";
}

/** Checks a machine after a kill; answers its version and a token of it. */
async function checkMachine(box: Box, before: number, oldToken: string) {
  // The next command, whatever it is, finishes or undoes; its own token must verify.
  const verdict = await box.json("verify", oldToken);
  const { version, kid } = await box.json("status");
  assert.equal(
    verdict.valid,
    version === before,
    "the old token verifies just when it is not rotated",
  );
  if (!verdict.valid) assert.equal(verdict.code, "retired_kid");
  const token = await box.token();
  const fresh = await box.json("verify", token);
  assert.deepEqual([fresh.valid, fresh.kid], [true, kid]);
  await checkPlaces(box, kid);
  return { version, token };
}

async function checkPlaces(box: Box, kid: string, location?: string): Promise<void> {
  const states = query(box, "SELECT state FROM rekey_versions WHERE state <> 'retired'");
  const rows = query(box, "SELECT key FROM settings").map(({ key }) => key);
  assert.deepEqual(states.map(({ state }) => state), ["current"]);
  if (!(box instanceof KeyringBox)) return assert.deepEqual(rows, ["jwt_secret"]);
  if (location === "database") {
    assert.deepEqual(await box.accounts(), []);
    return assert.deepEqual(rows, ["jwt_secret"]);
  }
  assert.deepEqual(rows, []);
  assert.deepEqual(await box.accounts(), [ACCOUNT]);
  assert.equal(kidOfValue(await box.lookup() ?? ""), kid);
}
