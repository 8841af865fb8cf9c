import { delay } from "../core/async.ts";
import { ExecProcesses } from "../store/sqlite/exec_processes.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { SYSTEM } from "../system/system.ts";
import { Processes, type ProcessId } from "../system/processes.ts";
import { changeHolders, hasEnded } from "./holders.ts";

// Longer than a keyring takes; a stopped `exec` must not hold up a rotation.
const WAIT_MS = 3_000;
const EVERY_MS = 20;

/**
 * Records which keys the file of a program's `exec --keys-file` holds.
 *
 * @param kids `undefined` without such a file.
 * @returns whether that could be recorded; `unknown` when the database has no record of the program.
 */
export function noteKeys(
  installation: Installation,
  id: ProcessId,
  kids: readonly string[] | undefined,
): boolean | "unknown" {
  let isKnown = false;
  const isDone = changeHolders(installation, (rows) => {
    isKnown = rows.setKeys(id, kids?.join(" ") ?? null);
  });
  return isDone && !isKnown ? "unknown" : isDone;
}

/**
 * Waits before the commit of a rotation with a grace window, until the files of keys of all programs hold the next key:
 * so no token that it signs is refused there. A program that does not follow within three seconds is not waited for.
 */
export async function untilFilesHold(installation: Installation, next: Version): Promise<void> {
  // A rotation that is made in etcd cannot be seen by other processes before its commit.
  if (installation.versions.byKid(next.kid)?.state !== "pending") return;
  const isPending = () => installation.versions.byKid(next.kid)?.state === "pending";
  await untilAll(installation, (kids) => kids.includes(next.kid) || !isPending());
}

/**
 * Waits until no file of keys holds a key that has ended, so that no program accepts its tokens. A program that does not
 * follow within three seconds is one of the stale ones.
 */
export async function untilFilesLackEnded(installation: Installation): Promise<void> {
  await untilAll(installation, (kids) => !kids.some((kid) => hasEnded(installation, kid)));
}

async function untilAll(
  { database }: Installation,
  isReady: (kids: readonly string[]) => boolean,
): Promise<void> {
  const end = performance.now() + WAIT_MS;
  const isAwaited = () => {
    const behind = new ExecProcesses(database).all()
      .filter(({ keys }) => keys !== null && !isReady(keys.split(" ")));
    if (behind.length === 0) return false;
    const processes = new Processes(SYSTEM.processes.identities);
    return behind.some(({ keeper }) => keeper !== null && processes.stateOf(keeper) === "runs");
  };
  while (isAwaited() && performance.now() < end) await delay(EVERY_MS);
}
