import assert from "node:assert/strict";
import { join } from "node:path";
import { inText } from "../../scripts/program.ts";
import { Serving } from "../support/http/serving.ts";
import { HangingProgram } from "../support/deliver/hanging.ts";
import { Verifier } from "../support/deliver/verifier.ts";
import { withVerifier } from "../support/deliver/told_verifier.ts";
import type { Box } from "../support/process/box.ts";
import { initialised } from "../support/process/initialised.ts";
import { until } from "../support/timing/pause.ts";

const GRACEFUL = ["rotate", "--force", "--grace", "1h"];

/** What an incident may take on a busy machine: one that waited would take ten seconds, and the reload twenty. */
const PROMPT_MS = 8_000;

/** For how long an incident waits for what it overtakes, at most: its programs follow when that has ended. */
const WAITS_MS = 3_000;

async function promptly(box: Box, ...args: string[]) {
  const began = performance.now();
  const ended = await box.run(args);
  const took = performance.now() - began;
  const isLeft = ended.code === 5 && took >= WAITS_MS;
  if (isLeft) await box.json("deliver", "sync");
  else assert.equal(ended.code, 0, ended.stderr);
  assert.ok(took < PROMPT_MS, `${took} ms`);
  return ended;
}

const endOf = async (process: Deno.ChildProcess) => inText(await process.output());

async function isOver(pid: number): Promise<boolean> {
  return await Deno.stat(`/proc/${pid}`).then(() => false, () => true);
}

/** Kids in a program's file, and what each program says to tokens: all as rekey itself says. */
async function assertAgreement(box: Box, programs: HangingProgram[], tokens: string[]) {
  const { kid, grace } = await box.json("status");
  const kids = [kid, ...grace.map((row: { kid: string }) => row.kid)];
  const { keys } = JSON.parse(Deno.readTextFileSync(join(box.home, "api.json")));
  assert.deepEqual(keys.map((key: { kid: string }) => key.kid), kids);
  for (const token of [...tokens, await box.token()]) {
    const { valid } = await box.json("verify", token);
    for (const { verifier } of programs) assert.equal(await verifier.accepts(token), valid);
  }
  assert.equal((await box.run(["deliver", "check"])).code, 0);
  assert.equal((await box.run(["audit", "verify"])).code, 0);
}

Deno.test("an incident overtakes a rotation that waits for a program", async () => {
  using box = await initialised();
  await using api = await HangingProgram.start(box);
  await using other = await withVerifier(box, { name: "other", takes: 0 });
  const old = await box.token();
  const graceful = await api.hang(...GRACEFUL);
  // It stands as long as it lives: other commands leave it alone, or wait for it.
  const { version } = await box.json("status");
  assert.equal(version, 1);
  const young = ["rotate", "--force", "--if-older-than", "1s"];
  for (const args of [GRACEFUL, young]) {
    assert.equal((await box.run([...args, "--lock-timeout", "0s"])).code, 6, args.join(" "));
  }
  const pid = api.letGo();
  const incident = await promptly(box, "rotate", "--force", "--lock-timeout", "0s", "--json");
  const { kid } = JSON.parse(incident.stdout);
  const ended = await endOf(graceful);
  assert.equal(ended.code, 1, ended.stderr);
  assert.match(ended.stderr, /^error: Not rotated: a rotation or revocation .* was first\nhint: /m);
  assert.equal((await box.json("status")).kid, kid);
  await until(() => isOver(pid));
  await assertAgreement(box, [api], [old]);
  assert.ok(!await other.accepts(old));
  const { stdout } = await box.run(["audit", "list", "--event", "rotation", "--json"]);
  assert.match(stdout, /"JWT secret rotation recovered".*"reason":"overtaken"/);
});

Deno.test("revoke overtakes a rotation that waits for a program, which opens no grace window then", async () => {
  using box = await initialised();
  await using api = await HangingProgram.start(box);
  const tokens = [await box.token()];
  assert.equal((await box.run(GRACEFUL)).code, 0);
  tokens.push(await box.token());
  const graceful = await api.hang(...GRACEFUL, "--json");
  api.letGo();
  await promptly(box, "revoke");
  const ended = await endOf(graceful);
  assert.deepEqual([ended.code, JSON.parse(ended.stderr).error.code], [1, "overtaken"]);
  const { version, grace } = await box.json("status");
  assert.deepEqual([version, grace], [2, []]);
  await assertAgreement(box, [api], tokens);
  // Without any window to end, too.
  const again = await api.hang(...GRACEFUL);
  api.letGo();
  await promptly(box, "revoke");
  assert.equal((await endOf(again)).code, 1);
  await assertAgreement(box, [api], tokens);
});

Deno.test("a rotation over HTTP is overtaken too, by a command and over HTTP: 409 overtaken", async () => {
  using box = await initialised();
  await using api = await HangingProgram.start(box);
  await using server = await Serving.start(box, ["--workers", "1"]);
  const tokens: string[] = [];
  const incidents = [
    () => promptly(box, "rotate", "--force", "--lock-timeout", "0s"),
    async (token: string) =>
      assert.equal(await server.status(server.post("/rotate", {}, token)), 200),
  ];
  for (const incident of incidents) {
    const token = await box.token("alice", "--scope", "admin");
    const graceful: Promise<Response>[] = [];
    await api.hangIn(() => graceful.push(server.post("/rotate", { grace: "1h" }, token)));
    api.letGo();
    await incident(token);
    const answer = (await graceful[0])!;
    assert.deepEqual([answer.status, (await answer.json()).code], [409, "overtaken"]);
    tokens.push(token);
  }
  await assertAgreement(box, [api], tokens);
  assert.deepEqual((await box.json("status")).grace, []);
});

Deno.test("an incident does not wait for the programs of one before it", async () => {
  using box = await initialised();
  await using api = await HangingProgram.start(box);
  const old = await box.token();
  const first = await api.hang("rotate", "--force");
  const between = await box.token();
  api.letGo();
  await promptly(box, "rotate", "--force");
  const ended = await endOf(first);
  assert.equal(ended.code, 5);
  assert.match(ended.stderr, /Not followed: api: stopped, since a key has ended meanwhile/);
  await assertAgreement(box, [api], [old, between]);
});

Deno.test("a rotation that is killed while it waits for a program is undone by the next command", async () => {
  using box = await initialised();
  await using api = await HangingProgram.start(box);
  const old = await box.token();
  for (const next of [["status"], ["rotate", "--force"]]) {
    const graceful = await api.hang(...GRACEFUL);
    graceful.kill("SIGKILL");
    await endOf(graceful);
    const pid = api.letGo();
    Deno.kill(pid, "SIGKILL");
    const { version } = await box.json("status");
    const ended = await promptly(box, ...next);
    assert.doesNotMatch(ended.stdout + ended.stderr, /error/);
    assert.equal((await box.json("status")).version > version, next[0] === "rotate");
    await assertAgreement(box, [api], [old]);
  }
});

Deno.test("a program that must be told only of keys that leave is told of the one that was dropped", async () => {
  using box = await initialised();
  const [preset, path, held] = ["own.preset.json", "own.json", "held.json"].map((name) =>
    join(box.home, name)
  ) as [string, string, string];
  await using verifier = await Verifier.start(path);
  const http = { url: verifier.url, accepted: [200], refused: [401] };
  const facts = { name: "own", summary: "x", program: "Prog", role: "verifier", keys: "many" };
  const ways = { algorithms: ["HS512"], reload_kind: "at once", connections: "x", format: "jwks" };
  const reload = { command: ["cp", path, held], only_for: "removal" };
  Deno.writeTextFileSync(preset, JSON.stringify({ ...facts, ...ways, reload, probe: { http } }));
  const added = await box.run(["deliver", "add", "own", "--preset-file", preset, "--path", path]);
  assert.equal(added.code, 0, added.stderr);
  const kids = (file: string) =>
    JSON.parse(Deno.readTextFileSync(file)).keys.map(({ kid }: { kid: string }) => kid);
  Deno.kill(verifier.pid, "SIGSTOP");
  const graceful = box.run(GRACEFUL);
  await until(() => kids(path).length === 2);
  const revoked = box.run(["revoke"]);
  assert.equal((await graceful).code, 1);
  Deno.kill(verifier.pid, "SIGCONT");
  assert.equal((await revoked).code, 0);
  assert.deepEqual(kids(held), [(await box.json("status")).kid]);
});
