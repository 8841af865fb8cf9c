import assert from "node:assert/strict";
import { ACCOUNT, KeyringBox } from "../keyring/keyring_box.ts";
import type { Box } from "../process/box.ts";
import { kidOfValue } from "../store/values.ts";
import { query } from "../store/sql.ts";
import { assertHappened, durationOf, killAtCall, killAtTime, phaseOf } from "./crash.ts";
import { type CrashReport, type KillOnce, RotationKills } from "./kill_series.ts";

/** A rotation from a secret to a key pair or back, with a grace period or without. */
interface AlgorithmChange {
  readonly from: string;
  readonly to: string;
  readonly grace: boolean;
}

const CHANGES: readonly AlgorithmChange[] = [
  { from: "HS512", to: "ES256", grace: true },
  { from: "ES256", to: "HS512", grace: true },
  { from: "HS512", to: "ES256", grace: false },
  { from: "ES256", to: "HS512", grace: false },
];

/** The version that signs, and a token of it. */
interface Before {
  readonly version: number;
  readonly kid: string;
  readonly token: string;
}

/**
 * Kills `rekey rotate --alg` again and again with SIGKILL, a quarter of the kills for each way and with and without a
 * grace period; and checks after each kill that one version signs, which tokens verify, and that no value is left over.
 */
export async function killAlgorithmChanges(
  box: Box,
  kills: number,
  random = Math.random,
): Promise<CrashReport> {
  const series = new RotationKills();
  for (const [index, change] of CHANGES.entries()) {
    const killOnce = await killerOf(box, change, random);
    await series.run(Math.floor((kills + index) / CHANGES.length), killOnce);
    if (index === CHANGES.length - 1) await series.reachAll(killOnce);
  }
  assert.equal((await box.json("audit", "verify")).valid, true);
  return series.report;
}

async function killerOf(
  box: Box,
  change: AlgorithmChange,
  random: () => number,
): Promise<KillOnce> {
  const args = ["rotate", "--force", "--alg", change.to, ...change.grace ? ["--grace", "1h"] : []];
  await signWith(box, change.from);
  let length = await durationOf(box, args);
  return async (call) => {
    await signWith(box, change.from);
    const before = await standing(box);
    const began = performance.now();
    const ended = call === undefined
      ? await killAtTime(box, length * (0.4 + 0.7 * random()), args)
      : await killAtCall(box, call, args);
    // The machine may have stood still when it was measured first.
    if (call === undefined && !ended.killed) length = (performance.now() - began) / 1000;
    const phase = phaseOf(box, before.version);
    assertHappened(ended, phase);
    await checkChange(box, change, before);
    return { killed: ended.killed, phase };
  };
}

async function signWith(box: Box, alg: string): Promise<void> {
  if ((await box.json("status")).alg === alg) return;
  const { code, stderr } = await box.run(["rotate", "--force", "--alg", alg]);
  assert.equal(code, 0, stderr);
}

async function standing(box: Box): Promise<Before> {
  const { version, kid } = await box.json("status");
  return { version, kid, token: await box.token() };
}

/** Checks a machine after a kill: the next command, whatever it is, finishes or undoes. */
async function checkChange(box: Box, change: AlgorithmChange, before: Before): Promise<void> {
  const old = await box.json("verify", before.token);
  const { version, kid, alg } = await box.json("status");
  const rotated = version !== before.version;
  assert.equal(old.valid, !rotated || change.grace, JSON.stringify(old));
  if (!old.valid) assert.equal(old.code, "retired_kid");
  assert.equal(alg, rotated ? change.to : change.from);
  const token = await box.token();
  const header = JSON.parse(atob(token.split(".")[0]!.replaceAll("-", "+").replaceAll("_", "/")));
  assert.deepEqual([header.alg, header.kid], [alg, kid]);
  const fresh = await box.json("verify", token);
  assert.deepEqual([fresh.valid, fresh.kid], [true, kid]);
  const inGrace = rotated && change.grace ? [before] : [];
  await assertNothingElse(box, kid, inGrace);
  if (inGrace.length === 0) return;
  await box.run(["revoke"]);
  const revoked = await box.json("verify", before.token);
  assert.equal(revoked.code, "retired_kid", JSON.stringify(revoked));
  await assertNothingElse(box, kid, []);
}

/** One version signs, those in grace verify, and only their values are there. */
async function assertNothingElse(
  box: Box,
  kid: string,
  inGrace: readonly Before[],
): Promise<void> {
  const rows = query(box, "SELECT kid, state FROM rekey_versions WHERE state <> 'retired'");
  const wanted = [
    { kid, state: "current" },
    ...inGrace.map(({ kid }) => ({ kid, state: "previous" })),
  ];
  const inOrder = (some: readonly Record<string, unknown>[]) =>
    some.map(({ kid, state }) => `${state} ${kid}`).sort();
  assert.deepEqual(inOrder(rows), inOrder(wanted));
  const names = ["", ...inGrace.map(({ version }) => `.v${version}`)];
  const settings = query(box, "SELECT key FROM settings ORDER BY key").map(({ key }) => key);
  if (!(box instanceof KeyringBox)) {
    return assert.deepEqual(settings, names.map((name) => `jwt_secret${name}`));
  }
  assert.deepEqual(settings, []);
  assert.deepEqual(await box.accounts(), names.map((name) => ACCOUNT + name));
  const kids = [kid, ...inGrace.map(({ kid }) => kid)];
  for (const [index, name] of names.entries()) {
    assert.equal(kidOfValue(await box.lookup(ACCOUNT + name) ?? ""), kids[index]);
  }
}
