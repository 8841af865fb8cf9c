import assert from "node:assert/strict";
import { join } from "node:path";
import { type Box, type Ended, REKEY } from "./box.ts";
import { pause } from "./pause.ts";

/** How a command ended that was held in its tracks. */
export interface Held extends Ended {
  /** False when it ended before it came to the place where it was to be held. */
  readonly held: boolean;
  /** How long it ran after it was let go, in milliseconds. */
  readonly rest: number;
}

/**
 * Who sends a command's messages to the session bus: the main thread, which reads items that are there and unlocked,
 * or the thread of the keyring's addon, which does everything else.
 */
export type Sender = "main thread" | "addon";

/** What either of them sends its messages by. */
const CALLS: Record<Sender, string[]> = {
  "main thread": ["-e", "trace=sendto"],
  addon: ["-f", "-e", "trace=sendmsg"],
};

/**
 * Runs `rekey` and stops it right after a sender has sent its n-th message to the session bus, until `meanwhile` is
 * done. Since it stops itself, by a signal and not by a delay, it stands there however slow the machine is.
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
  const inject = `${calls.at(-1)!.replace("trace", "inject")}:signal=SIGSTOP:when=${n}`;
  // A message may hold the secret, so the trace shows no text: -s 0.
  const flags = ["-qq", "-s", "0", ...calls, "-e", inject, "-o", trace];
  // strace names the process in its trace only when it follows others.
  const named = ["/bin/sh", "-c", `echo $$ > ${trace}.pid; exec "$0" "$@"`, REKEY, ...args];
  let over = false;
  const ending = box.exec("/usr/bin/strace", [...flags, ...named])
    .finally(() => over = true);
  try {
    const held = await stopped(trace, () => over);
    if (held) {
      try {
        await meanwhile();
      } finally {
        Deno.kill(Number(textOf(`${trace}.pid`)), "SIGCONT");
      }
    }
    const start = performance.now();
    const ended = await ending;
    return { ...ended, held, rest: held ? performance.now() - start : 0 };
  } finally {
    for (const path of [trace, `${trace}.pid`]) Deno.removeSync(path);
  }
}

/** Whether strace has seen the process stop; not when it ended without. */
async function stopped(trace: string, over: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 6_000; tries++) {
    const ended = over();
    if (/^(\d+ +)?--- stopped by SIGSTOP ---$/m.test(textOf(trace))) return true;
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
