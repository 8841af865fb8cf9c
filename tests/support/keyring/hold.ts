import assert from "node:assert/strict";
import { join } from "node:path";
import { type Box, type Ended, REKEY } from "../process/box.ts";
import { pause } from "../timing/pause.ts";

/** How a command ended that was held in its tracks. */
export interface Held extends Ended {
  /** False when it ended before it came to the place where it was to be held. */
  readonly held: boolean;
  /** How long it ran after it was let go, in milliseconds. */
  readonly rest: number;
}

/**
 * Who sends a command's messages to the session bus: the main thread, which reads items that are there and unlocked,
 * or the threads of the keyring's addon, which do everything else.
 */
export type Sender = "main thread" | "addon";

/** What either of them sends its messages by. */
const CALLS: Record<Sender, string[]> = {
  "main thread": ["-e", "trace=sendto"],
  addon: ["-f", "-e", "trace=sendmsg"],
};

/**
 * Runs `rekey` and stops it right after a sender has sent its n-th message to the session bus, until `meanwhile` is
 * done. It stops itself at each message, by a signal and not by a delay, so it stands there however slow the machine
 * is, and is let go at once at all others: strace counts for each thread by itself, and the addon sends from two.
 */
export async function holdAfterMessage(
  box: Box,
  sender: Sender,
  n: number,
  args: string[],
  meanwhile: () => void | Promise<void>,
): Promise<Held> {
  const trace = join(box.home, `held-${crypto.randomUUID()}`);
  const calls = CALLS[sender];
  const inject = `${calls.at(-1)!.replace("trace", "inject")}:signal=SIGSTOP:when=1+`;
  // A message may hold the secret, so the trace shows no text: -s 0.
  const flags = ["-qq", "-s", "0", ...calls, "-e", inject, "-o", trace];
  // strace names the process in its trace only when it follows others.
  const named = ["/bin/sh", "-c", `echo $$ > ${trace}.pid; exec "$0" "$@"`, REKEY, ...args];
  let over = false;
  const ending = box.exec("/usr/bin/strace", [...flags, ...named])
    .finally(() => over = true);
  try {
    let start: number | undefined;
    for (let stop = 1; await stopped(trace, stop, () => over); stop++) {
      try {
        if (stop === n) await meanwhile();
      } finally {
        Deno.kill(Number(textOf(`${trace}.pid`)), "SIGCONT");
      }
      if (stop === n) start = performance.now();
    }
    const ended = await ending;
    const rest = start === undefined ? 0 : performance.now() - start;
    return { ...ended, held: start !== undefined, rest };
  } finally {
    for (const path of [trace, `${trace}.pid`]) Deno.removeSync(path);
  }
}

/** Waits until strace has seen the process stop for the n-th time; false when it ended without. */
async function stopped(trace: string, n: number, over: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 6_000; tries++) {
    const ended = over();
    // All threads stop, and strace tells of each.
    const after = textOf(trace).split(/^(?:\d+ +)?--- SIGSTOP \{/m)[n];
    if (after !== undefined && after.includes("--- stopped by SIGSTOP ---")) return true;
    if (ended) return false;
    await pause(5);
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
