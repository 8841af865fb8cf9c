import assert from "node:assert/strict";
import { join } from "node:path";
import { Verifier } from "../deliver/verifier.ts";
import type { Box } from "../process/box.ts";
import { initialised } from "../process/initialised.ts";
import { killAtCall } from "./crash.ts";

/** Steps that leave something behind: each is a moment to be killed at. */
const CALLS =
  "pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat,fchmod,clone,clone3,vfork";

/** Flags of the rotations that are killed. */
export const DELIVERED_ROTATIONS = { graceful: ["--grace", "1h"], incident: [] } as const;

/** Which kills there are to be. */
export interface KillSeries {
  /** How far apart they are, in system calls. */
  readonly step: number;
  /** How many; by default until a rotation ends before its kill. */
  readonly kills?: number;
}

/**
 * Kills rotations with three deliveries right before a system call, a later one each time, and checks after each kill
 * that the next command leaves keys, files and programs agreeing.
 *
 * @returns how many kills there were.
 */
export async function killDelivered(
  kind: keyof typeof DELIVERED_ROTATIONS,
  { step, kills }: KillSeries,
): Promise<number> {
  using box = await initialised();
  const programs = await consumers(box);
  try {
    let count = 0;
    for (let [first, call] = [1, 1]; count < (kills ?? Infinity);) {
      // Windows that stay open would make each look longer.
      await box.run(["revoke"]);
      const tokens = [await box.token()];
      const args = ["rotate", "--force", ...DELIVERED_ROTATIONS[kind]];
      const { killed } = await killAtCall(box, call, args, CALLS);
      await assertAgreement(box, programs, tokens);
      if (!killed && kills === undefined) break;
      count += Number(killed);
      call = killed ? call + step : ++first;
    }
    assert.equal((await box.run(["audit", "verify"])).code, 0);
    return count;
  } finally {
    for (const verifier of programs.verifiers) await verifier.stop();
  }
}

interface Programs {
  readonly verifiers: readonly Verifier[];
  /** The signer's file. */
  readonly key: string;
}

/** Three programs: one reads its file for each request, one on a signal, one signs. */
async function consumers(box: Box): Promise<Programs> {
  const path = (name: string) => join(box.home, name);
  const each = await Verifier.start(path("each.json"));
  const add = async (...args: string[]) => {
    const added = await box.run(["deliver", "add", ...args]);
    assert.equal(added.code, 0, added.stderr);
  };
  const jwks = (name: string) => [name, "--format", "jwks", "--path", path(`${name}.json`)];
  await add(...jwks("each"), "--probe-url", each.url);
  Deno.copyFileSync(path("each.json"), path("hangup.json"));
  const hangup = await Verifier.start(path("hangup.json"), "hangup");
  const reload = ["--reload", `kill -HUP ${hangup.pid}`, "--probe-url", hangup.url, "--force"];
  await add(...jwks("hangup"), ...reload);
  await add("signer", "--format", "text", "--role", "signer", "--path", path("key"));
  return { verifiers: [each, hangup], key: path("key") };
}

/** Keys, files and programs agree: after any next command. */
async function assertAgreement(
  box: Box,
  { verifiers, key }: Programs,
  tokens: readonly string[],
): Promise<void> {
  await box.run(["status"]);
  const { stdout } = await box.run(["deliver", "list", "--json"]);
  const facts = stdout.trim().split("\n").map((line) => JSON.parse(line));
  const { kid, grace } = await box.json("status");
  for (const { name, followed, role, confirmed } of facts) {
    assert.ok(followed, `${name} has not followed: ${stdout}`);
    const wanted = role === "signer"
      ? [kid]
      : [kid, ...grace.map((row: { kid: string }) => row.kid)];
    assert.deepEqual(confirmed, wanted, name);
  }
  const fresh = await box.token();
  for (const token of [fresh, ...tokens]) {
    const isValid = (await box.json("verify", token)).valid === true;
    for (const verifier of verifiers) assert.equal(await verifier.accepts(token), isValid);
  }
  const inEach = JSON.parse(Deno.readTextFileSync(join(box.home, "each.json"))).keys
    .find((one: { kid: string }) => one.kid === kid);
  const bytes = new TextEncoder().encode(Deno.readTextFileSync(key));
  assert.equal(bytes.toBase64({ alphabet: "base64url", omitPadding: true }), inEach.k);
  const left = [...Deno.readDirSync(box.home)].filter(({ name }) => name.includes(".rekey-"));
  assert.deepEqual(left, [], "no temporary file stays");
}
