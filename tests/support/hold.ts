import assert from "node:assert/strict";
import { join } from "node:path";
import { type Box, type Ended, REKEY } from "./box.ts";

/** How a command ended that was held in its tracks. */
export interface Held extends Ended {
  /** False when it ended before it came to the place where it was to be held. */
  readonly held: boolean;
  /** How long it ran after it was let go, in milliseconds. */
  readonly rest: number;
}

/**
 * Runs `rekey` and stops it right after it has sent its n-th message to the session bus, until `meanwhile` is
 * done. Since it stops itself, by a signal and not by a delay, it stands there however slow the machine is.
 */
export async function holdAfterMessage(
  box: Box,
  n: number,
  args: string[],
  meanwhile: () => void | Promise<void>,
): Promise<Held> {
  const trace = join(box.home, `held-${crypto.randomUUID()}`);
  const inject = `inject=sendmsg:signal=SIGSTOP:when=${n}`;
  // A message may hold the secret, so the trace shows no text: -s 0.
  const flags = ["-f", "-qq", "-s", "0", "-e", "trace=sendmsg", "-e", inject, "-o", trace];
  let over = false;
  const ending = box.exec("/usr/bin/strace", [...flags, REKEY, ...args])
    .finally(() => over = true);
  const process = await stopped(trace, () => over);
  if (process === undefined) {
    Deno.removeSync(trace);
    return { ...await ending, held: false, rest: 0 };
  }
  try {
    await meanwhile();
  } finally {
    Deno.kill(process, "SIGCONT");
  }
  const start = performance.now();
  const ended = await ending;
  Deno.removeSync(trace);
  return { ...ended, held: true, rest: performance.now() - start };
}

/** The process that strace has seen stop; `undefined` when it ended without. */
async function stopped(trace: string, over: () => boolean): Promise<number | undefined> {
  for (let tries = 0; tries < 6_000; tries++) {
    const ended = over();
    const [, id] = /^(\d+) +--- stopped by SIGSTOP ---$/m.exec(textOf(trace)) ?? [];
    if (id !== undefined) return Number(id);
    if (ended) return undefined;
    await new Promise((done) => setTimeout(done, 5));
  }
  return assert.fail("the command neither stopped nor ended");
}

// strace makes the file a moment after it was started.
function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
