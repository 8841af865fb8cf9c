import assert from "node:assert/strict";
import { decodeProtectedHeader } from "jose";
import type { Box } from "../support/process/box.ts";
import { answerTo, keySetServer, readingOf } from "../support/commands/key_set_server.ts";
import { initialised } from "../support/process/initialised.ts";
import { Running } from "../support/process/running.ts";
import { queryRow } from "../support/store/sql.ts";
import { until } from "../support/timing/pause.ts";

const FLAGS = ["--keys-file", "--on-rotate", "signal:HUP"];
const ROTATIONS = 6;

// What docs/exec.md promises has bounds, and a machine may stand still for longer. So a rotation after which something was
// not as promised is measured. One that was beyond the bounds is made up for by another one; not again and again, since
// without the promise all are.
/** For how long a rotation waits for the file, at most. */
const WAITS_MS = 3_000;
/** How much time a program has to read the file before rotations count on it. */
const READS_MS = 100;
const MOST_LATE = 15;

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
  const read = async (kid: string) => {
    await running.until(() => readingOf(running.stdout, kid) !== undefined);
    return readingOf(running.stdout, kid)!;
  };
  const readLate = async (kid: string) => {
    const { age, isCurrent } = await read(kid);
    return isCurrent || age > READS_MS;
  };
  const tokens = await throughRotations(box, running, readLate);
  for (let late = 0; await readLate((await box.json("status")).kid); late++) {
    assert.ok(late < MOST_LATE, "the program is not told of the next key");
    await box.json("rotate", "--force", "--grace", "1h");
  }
  await box.json("rotate", "--force", "--reason", "incident");
  // How soon a program handles a signal is its own affair.
  await until(async () => await answerTo(tokens[0]!, port) === 401);
  assert.deepEqual(await answersTo(tokens, port), tokens.map(() => 401));
  await acceptsNew(box, port);
});

Deno.test("exec --keys-file: PyJWT that reads the file for each request accepts no old token once an incident's rotation has ended", async () => {
  using box = await initialised();
  const flags = ["--keys-file"];
  await using running = await Running.start(box, keySetServer("each"), { flags });
  const port = portOf(running);
  for (let [inTime, late] = [0, 0]; inTime < 3;) {
    const tokens = await throughRotations(box, running);
    const { kid } = await box.json("rotate", "--force", "--reason", "incident");
    const waited = Date.now() - timesOf(box, kid).activated_at;
    const accepted = (await answersTo(tokens, port)).filter((status) => status !== 401);
    if (accepted.length === 0) inTime++;
    else assert.ok(waited >= WAITS_MS && ++late < MOST_LATE, `${accepted} after ${waited} ms`);
    await acceptsNew(box, port);
  }
});

/** When a version was made and when it became the current one, in milliseconds since the epoch. */
function timesOf(box: Box, kid: string): { created_at: number; activated_at: number } {
  const sql = "SELECT created_at, activated_at FROM rekey_versions WHERE kid = ?";
  return queryRow(box, sql, kid) as { created_at: number; activated_at: number };
}

/** A value may be read after those that have ended are gone from the file. */
async function acceptsNew(box: Box, port: string): Promise<void> {
  const token = await box.token();
  await until(async () => await answerTo(token, port) === 204);
}

const answersTo = (tokens: readonly string[], port: string) =>
  Promise.all(tokens.map((token) => answerTo(token, port)));

/**
 * Rotates with grace windows while all valid tokens are asked about.
 *
 * @param readLate whether the program has read a key later than it should.
 * @returns the tokens; none was refused, but for those of a key that was not there in time.
 */
async function throughRotations(
  box: Box,
  running: Running,
  readLate: (kid: string) => Promise<boolean> = () => Promise.resolve(false),
): Promise<string[]> {
  const port = portOf(running);
  const tokens = [await box.token()];
  const refused = new Set<string>();
  const ask = async (asked: readonly string[]) => {
    const answers = await answersTo(asked, port);
    asked.filter((_, n) => answers[n] !== 204).forEach((token) => refused.add(kidOf(token)));
  };
  const old = () => ask([...tokens]);
  // A token is asked about as soon as there is one, also right after the commit that begins its version.
  const fresh = async () => {
    const token = await box.token();
    await ask([token]);
    tokens.push(token);
  };
  await during(old, () =>
    during(fresh, async () => {
      for (let n = 0; n - Math.min(refused.size, MOST_LATE) < ROTATIONS; n++) {
        await box.json("rotate", "--force", "--grace", "1h");
      }
    }));
  assert.ok(new Set(tokens.map(kidOf)).size > 2, "tokens of several versions");
  assert.ok(refused.size < MOST_LATE, `${refused.size} versions whose tokens were refused`);
  for (const kid of refused) {
    const { created_at, activated_at } = timesOf(box, kid);
    const waited = activated_at - created_at;
    assert.ok(waited >= WAITS_MS || await readLate(kid), `a token refused after ${waited} ms`);
  }
  return tokens;
}

const kidOf = (token: string) => decodeProtectedHeader(token).kid!;

Deno.test("exec --keys-file: the old key leaves the file when its grace window ends, or by revoke", async () => {
  using box = await initialised();
  await using running = await Running.start(box, keySetServer(), { flags: FLAGS });
  const port = portOf(running);
  const first = await box.token();
  const { grace_until } = await box.json("rotate", "--force", "--grace", "2s");
  const answer = await answerTo(first, port);
  if (Date.now() < Date.parse(grace_until)) assert.equal(answer, 204);
  await until(async () => await answerTo(first, port) === 401);
  const second = await box.token();
  await until(async () => await answerTo(second, port) === 204);
  await box.json("rotate", "--force", "--grace", "1h");
  assert.equal(await answerTo(second, port), 204);
  await box.json("revoke");
  await until(async () => await answerTo(second, port) === 401);
});
