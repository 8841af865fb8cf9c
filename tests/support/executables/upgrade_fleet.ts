import assert from "node:assert/strict";
import { join } from "node:path";
import { Etcd, Fleet } from "../cluster/etcd.ts";
import type { Serving } from "../http/serving.ts";
import type { Box, Ended } from "../process/box.ts";
import { until } from "../timing/pause.ts";
import { type Binaries, Installed } from "./installed.ts";
import { moveAside } from "./upgrade.ts";
import { FLAGS, kidsOf, PROGRAM } from "./upgrade_programs.ts";

const WAIT = ["--wait", "20s"];

/**
 * Two machines of a fleet, one with an older binary: either of them rotates, the other is upgraded, and goes back. Throws
 * where a step does not do what docs/install.md says.
 *
 * @returns what each step showed.
 */
export async function fleetAcrossUpgrade({ older, newer }: Binaries): Promise<string[]> {
  await using etcd = await Etcd.start(1);
  using fleet = new Fleet(etcd, 2, "mixed");
  const [first, second] = fleet.machines as [Box, Box];
  const [before, after] = [new Installed(first, older), new Installed(second, newer)];
  await before.must("init");
  await after.must("init");
  const told = await sideBySide(before, after);
  told.push(await upgraded(before, after, newer));
  told.push(...await backAgain(before, after, older));
  told.push(await withKeyPair(before, after));
  return told;
}

/** Waits until both servers answer with a status. */
async function allSay(servers: Serving[], token: string, status: number): Promise<void> {
  let found: number[] = [];
  await until(async () => {
    found = await Promise.all(servers.map((server) => server.auth(token)));
    return found.every((one) => one === status);
  }, { otherwise: () => `The servers say ${found}, not ${status}` });
}

/** Tokens, rotations and the ends of sessions of either machine count on both. */
async function sideBySide(before: Installed, after: Installed): Promise<string[]> {
  await using one = await before.serve();
  await using two = await after.serve();
  const servers = [one, two];
  await using here = await before.exec(PROGRAM, FLAGS);
  await using there = await after.exec(PROGRAM, FLAGS);
  await after.must("policy", "set", "--iss", "https://auth.example.org");
  for (const [by, other] of [[before, after], [after, before]] as const) {
    const token = await by.token("--iss", "https://auth.example.org");
    await other.must("verify", token);
    await allSay(servers, token, 204);
    await by.must("rotate", "--force", "--grace", "1h", ...WAIT);
    await other.must("verify", token);
    await allSay(servers, token, 204);
    await by.must("revoke", ...WAIT);
    assert.equal((await other.run("verify", token)).code, 3);
    await allSay(servers, token, 401);
    await by.must("rotate", "--prepare", ...WAIT);
    await other.must("rotate", "--activate", ...WAIT);
    const { kid } = await by.json("status");
    assert.equal((await other.json("status")).kid, kid);
    await until(() => [here, there].every((program) => kidsOf(program).join() === kid));
  }
  assert.deepEqual((await after.json("policy", "show")).iss, ["https://auth.example.org"]);
  await after.must("policy", "clear");
  return [
    "a fleet of both: tokens, rotations, revocations and the two phases of either count on both, and a policy stays",
    "programs of exec --keys-file on both follow rotations by either",
  ];
}

/** The other machine is upgraded while its older server runs, and the newer binary rotates. */
async function upgraded(before: Installed, after: Installed, newer: string): Promise<string> {
  await using older = await before.serve();
  await using other = await after.serve();
  const token = await after.token();
  await allSay([older, other], token, 204);
  before.install(newer);
  await before.must("verify", token);
  await before.must("rotate", "--force", ...WAIT);
  assert.notEqual(await older.auth(token), 204, "an ended token is accepted");
  await allSay([other], token, 401);
  const fresh = await after.token();
  const answer = await older.auth(fresh);
  await older.stop();
  await using again = await before.serve();
  await allSay([again, other], fresh, 204);
  return `the other one is upgraded: its older serve answers ${answer} until it is started again`;
}

/** Back to the older version, by the line of docs/install.md for a machine of a fleet. */
async function backAgain(
  before: Installed,
  after: Installed,
  older: string,
): Promise<string[]> {
  const token = await after.token();
  before.install(older);
  const refused = await before.run("verify", token);
  if (refused.code === 0) return ["back: the schema is the same"];
  saysHowToGoOn(refused, /schema/);
  await moveAside(before.box);
  await before.must("init", "--store", "etcd");
  await before.must("verify", token);
  await before.must("rotate", "--force");
  assert.equal((await after.run("verify", token)).code, 3);
  Deno.removeSync(join(before.box.home, "newer"), { recursive: true });
  return ["back: init with the database moved aside joins again, and rotates for both"];
}

/** A key pair, which only a newer binary may know. */
async function withKeyPair(before: Installed, after: Installed): Promise<string> {
  await using serving = await before.serve();
  const token = await after.token();
  await allSay([serving], token, 204);
  await after.must("rotate", "--force", "--alg", "ES256");
  const refused = await before.run("issue", "--sub", "alice");
  if (refused.code === 0) {
    await allSay([serving], token, 401);
    return "both know key pairs";
  }
  saysHowToGoOn(refused, /a newer rekey wrote it/);
  await allSay([serving], token, 503);
  await after.must("rotate", "--force", "--alg", "HS512");
  const still = await before.run("issue", "--sub", "alice");
  return `after a key pair the older binary says: ${refused.stderr.trim()}; after HS512 again it exits ${still.code}`;
}

function saysHowToGoOn({ code, stderr }: Ended, why: RegExp): void {
  assert.equal(code, 4, stderr);
  assert.match(stderr, why);
  assert.match(stderr, /^hint: /m);
}
