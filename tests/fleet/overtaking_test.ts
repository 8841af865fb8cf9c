import assert from "node:assert/strict";
import { inText } from "../../scripts/program.ts";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { HangingProgram } from "../support/deliver/hanging.ts";
import { Serving } from "../support/http/serving.ts";
import type { Box } from "../support/process/box.ts";

const GRACEFUL = ["rotate", "--force", "--grace", "1h", "--json"];

/** What an incident may take on a busy machine: one that waited would take ten seconds, and the reload twenty. */
const PROMPT_MS = 8_000;

async function promptly(box: Box, ...args: string[]) {
  const began = performance.now();
  const answer = await must(box, ...args);
  const took = performance.now() - began;
  assert.ok(took < PROMPT_MS, `${took} ms`);
  return answer;
}

/** The code of the error that a command ends with. */
async function codeOf(process: Deno.ChildProcess): Promise<string> {
  const { code, stdout, stderr } = inText(await process.output());
  assert.equal(code, 1, stderr);
  return JSON.parse(stdout || stderr).error.code;
}

Deno.test("an incident overtakes a rotation of a fleet that waits for a program", async (t) => {
  await using etcd = await Etcd.start(1);
  using fleet = await Fleet.start(etcd, 2, "overtaking");
  const [one, two] = fleet.machines as [Box, Box];
  await using api = await HangingProgram.start(one);

  const agree = async (...ended: string[]) => {
    for (const token of ended) assert.ok(!await api.verifier.accepts(token));
    const token = await two.token();
    assert.ok(await api.verifier.accepts(token));
    await must(one, "verify", token);
    await must(one, "deliver", "check");
    await must(one, "audit", "verify");
  };

  await t.step("of the same machine", async () => {
    const old = await one.token();
    const graceful = await api.hang(...GRACEFUL);
    api.letGo();
    const { version } = await promptly(one, "rotate", "--force");
    assert.equal(await codeOf(graceful), "overtaken");
    assert.equal((await must(two, "status")).version, version);
    await agree(old);
  });

  await t.step("of the same machine, by a revocation", async () => {
    for (let n = 0; n < 2; n++) {
      const { version } = await must(one, "status");
      const graceful = await api.hang(...GRACEFUL);
      api.letGo();
      await promptly(one, "revoke");
      assert.equal(await codeOf(graceful), "overtaken");
      assert.equal((await must(one, "status")).version, version);
      await agree();
      if (n === 0) await must(one, "rotate", "--force", "--grace", "1h");
    }
  });

  await t.step("of another machine, which it finds out when its program has followed", async () => {
    const old = await one.token();
    const graceful = await api.hang(...GRACEFUL);
    const pid = api.letGo();
    const { version } = await promptly(two, "rotate", "--force");
    Deno.kill(pid, "SIGKILL");
    assert.equal(await codeOf(graceful), "overtaken");
    assert.equal((await must(one, "status")).version, version);
    await must(one, "deliver", "sync");
    await agree(old);
  });

  await t.step("of another machine, which its server tells it", async () => {
    await using _serving = await Serving.start(one, ["--workers", "1"]);
    const old = await one.token();
    const graceful = await api.hang(...GRACEFUL);
    api.letGo();
    const { version, unconfirmed } = await must(two, "rotate", "--force", "--wait", "15s");
    assert.deepEqual(unconfirmed, []);
    assert.ok(!await api.verifier.accepts(old));
    assert.equal(await codeOf(graceful), "overtaken");
    assert.equal((await must(one, "status")).version, version);
    await agree(old);
  });
});
