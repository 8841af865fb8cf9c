import assert from "node:assert/strict";
import type { Box } from "../support/process/box.ts";
import { answerTo, keySetServer } from "../support/commands/key_set_server.ts";
import { initialised } from "../support/process/initialised.ts";
import { Running } from "../support/process/running.ts";
import { until } from "../support/timing/pause.ts";

const FLAGS = ["--keys-file", "--on-rotate", "signal:HUP"];
const ROTATIONS = 6;

function portOf({ stdout }: Running): string {
  return /^ready (\d+) /m.exec(stdout)![1]!;
}

/** Runs work while another goes on, again and again. */
async function during(again: () => Promise<void>, work: () => Promise<void>): Promise<void> {
  let isOver = false;
  const going = (async () => {
    while (!isOver) await again();
  })();
  try {
    await work();
  } finally {
    isOver = true;
    await going;
  }
}

Deno.test("exec --keys-file: PyJWT that is told by SIGHUP refuses no valid token over graceful rotations", async () => {
  using box = await initialised();
  await using running = await Running.start(box, keySetServer(), { flags: FLAGS });
  const port = portOf(running);
  const tokens = await throughRotations(box, port);
  await box.json("rotate", "--force", "--reason", "incident");
  // How soon a program handles a signal is its own affair.
  await until(async () => await answerTo(tokens[0]!, port) === 401);
  assert.deepEqual(await answersTo(tokens, port), tokens.map(() => 401));
  assert.equal(await answerTo(await box.token(), port), 204);
});

Deno.test("exec --keys-file: PyJWT that reads the file for each request accepts no old token once an incident's rotation has ended", async () => {
  using box = await initialised();
  const flags = ["--keys-file"];
  await using running = await Running.start(box, keySetServer("each"), { flags });
  const port = portOf(running);
  for (let n = 0; n < 3; n++) {
    const tokens = await throughRotations(box, port);
    await box.json("rotate", "--force", "--reason", "incident");
    assert.deepEqual(await answersTo(tokens, port), tokens.map(() => 401));
    assert.equal(await answerTo(await box.token(), port), 204);
  }
});

const answersTo = (tokens: readonly string[], port: string) =>
  Promise.all(tokens.map((token) => answerTo(token, port)));

/** Rotates with grace windows while all valid tokens are asked about. @returns them; none was refused. */
async function throughRotations(box: Box, port: string): Promise<string[]> {
  const tokens = [await box.token()];
  const answers: number[] = [];
  const old = async () => void answers.push(...await answersTo(tokens, port));
  // A token is asked about as soon as there is one, also right after the commit that begins its version.
  const fresh = async () => {
    const token = await box.token();
    answers.push(await answerTo(token, port));
    tokens.push(token);
  };
  await during(old, () =>
    during(fresh, async () => {
      for (let n = 0; n < ROTATIONS; n++) await box.json("rotate", "--force", "--grace", "1h");
    }));
  const headers = new Set(tokens.map((token) => token.split(".")[0]));
  assert.ok(headers.size > 2, "tokens of several versions");
  assert.deepEqual(answers.filter((status) => status !== 204), [], `of ${answers.length}`);
  return tokens;
}

Deno.test("exec --keys-file: the old key leaves the file when its grace window ends, or by revoke", async () => {
  using box = await initialised();
  await using running = await Running.start(box, keySetServer(), { flags: FLAGS });
  const port = portOf(running);
  const first = await box.token();
  await box.json("rotate", "--force", "--grace", "2s");
  assert.equal(await answerTo(first, port), 204);
  await until(async () => await answerTo(first, port) === 401);
  const second = await box.token();
  await box.json("rotate", "--force", "--grace", "1h");
  assert.equal(await answerTo(second, port), 204);
  await box.json("revoke");
  await until(async () => await answerTo(second, port) === 401);
});
