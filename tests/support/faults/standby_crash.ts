import assert from "node:assert/strict";
import type { Box } from "../process/box.ts";
import { ACCOUNT, KeyringBox } from "../keyring/keyring_box.ts";
import { query } from "../store/sql.ts";
import { killAtCall } from "./crash.ts";

/** How many kills left the version prepared, or activated, and how many did not. */
export interface StandbyKills {
  done: number;
  undone: number;
}

/**
 * Kills `rekey rotate --prepare` right before each `stride`-th system call that leaves something behind, and checks that
 * the next command finds the version whole or not at all, and that nothing else has changed.
 */
export async function killPreparations(box: Box, stride: number): Promise<StandbyKills> {
  const kills = { done: 0, undone: 0 };
  for (let call = 1;; call += stride) {
    const token = await box.token();
    const { kid: before } = await box.json("status");
    const { killed } = await killAtCall(box, call, ["rotate", "--prepare", "--alg", "ES256"]);
    const { kid, prepared } = await box.json("status");
    assert.equal(kid, before);
    assert.ok(killed || prepared !== null);
    await checkPlaces(box);
    if (prepared !== null) await mustSign(box, token, prepared.kid);
    if (!killed) return kills;
    kills[prepared === null ? "undone" : "done"]++;
  }
}

async function mustSign(box: Box, token: string, kid: string): Promise<void> {
  await box.json("rotate", "--activate", "--force", "--grace", "1h");
  assert.equal((await box.json("verify", token)).valid, true);
  assert.equal((await box.json("verify", await box.token())).kid, kid);
  await box.json("revoke");
}

/**
 * Kills `rekey rotate --activate` likewise: the prepared version has become the current one or is still prepared, and is
 * activated then. Tokens verify all the time.
 */
export async function killActivations(box: Box, stride: number): Promise<StandbyKills> {
  const kills = { done: 0, undone: 0 };
  const activate = ["rotate", "--activate", "--force", "--grace", "1h"];
  for (let call = 1;; call += stride) {
    const token = await box.token();
    const { kid: next } = await box.json("rotate", "--prepare", "--alg", "ES256");
    const { killed } = await killAtCall(box, call, activate);
    const { kid, prepared } = await box.json("status");
    assert.equal(prepared?.kid ?? kid, next, "it is prepared or current");
    await checkPlaces(box);
    if (prepared !== null) await box.json(...activate);
    assert.equal((await box.json("verify", token)).valid, true);
    assert.equal((await box.json("verify", await box.token())).kid, next);
    await box.json("revoke");
    await checkPlaces(box);
    if (!killed) return kills;
    kills[prepared === null ? "done" : "undone"]++;
  }
}

/** Kills a rotation in one step while a version is prepared: that one is dropped by its commit and not before. */
export async function killRotationsOverPrepared(box: Box, stride: number): Promise<StandbyKills> {
  const kills = { done: 0, undone: 0 };
  for (let call = 1;; call += stride) {
    const { kid: before } = await box.json("status");
    const { kid: next } = await box.json("rotate", "--prepare", "--alg", "ES256");
    const { killed } = await killAtCall(box, call);
    const { kid, prepared } = await box.json("status");
    if (kid === before) assert.equal(prepared?.kid, next, "it is still prepared");
    else assert.equal(prepared, null, "it went with the commit");
    await checkPlaces(box);
    assert.equal((await box.json("verify", await box.token())).kid, kid);
    if (!killed) return kills;
    kills[kid === before ? "undone" : "done"]++;
  }
}

// Without a wait, runs prepare and activate in turn.
const TIMER = ["rotate", "--force", "--if-older-than", "0s", "--standby", "0s", "--grace", "1h"];

/**
 * Kills what a timer runs (`rekey rotate --standby`), in each of its steps: the next runs make one rotation of it, and
 * tokens verify all the time.
 */
export async function killTimers(box: Box, stride: number): Promise<StandbyKills> {
  const kills = { done: 0, undone: 0 };
  for (const isPrepared of [false, true]) {
    for (let call = 1, killed = true; killed; call += stride) {
      const token = await box.token();
      const { kid: before, version } = await box.json("status");
      if (isPrepared) await box.json(...TIMER);
      ({ killed } = await killAtCall(box, call, TIMER));
      const { kid, prepared } = await box.json("status");
      if (killed) kills[(isPrepared ? kid !== before : prepared !== null) ? "done" : "undone"]++;
      if (isPrepared) assert.ok(kid !== before || prepared !== null, "what was prepared stays");
      await checkPlaces(box);
      for (let runs = 0; (await box.json("status")).kid === before; runs++) {
        assert.ok(runs < 2, "two runs are a rotation");
        await box.json(...TIMER);
      }
      const after = await box.json("status");
      assert.ok(after.version > version && after.prepared === null);
      assert.equal((await box.json("verify", token)).valid, true);
      await box.json("revoke");
      await checkPlaces(box);
    }
  }
  return kills;
}

/** Each version that has a value has it in one place, under the right name, and no other value is there. */
async function checkPlaces(box: Box): Promise<void> {
  const rows = query(
    box,
    "SELECT version, state, published_at FROM rekey_versions WHERE state <> 'retired' ORDER BY version",
  );
  assert.ok(rows.every(({ state, published_at }) => state !== "pending" || published_at !== null));
  assert.equal(rows.filter(({ state }) => state === "current").length, 1);
  const names = (base: string) =>
    rows.map(({ version, state }) => state === "current" ? base : `${base}.v${version}`).sort();
  const sealed = query(box, "SELECT key FROM settings ORDER BY key").map(({ key }) => key);
  if (!(box instanceof KeyringBox)) return assert.deepEqual(sealed, names("jwt_secret"));
  assert.deepEqual(sealed, []);
  assert.deepEqual((await box.accounts()).sort(), names(ACCOUNT));
}
