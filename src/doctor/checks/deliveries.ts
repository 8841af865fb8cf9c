import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { describeDeliveries } from "../../deliver/description.ts";
import { delay } from "../../core/async.ts";
import { deliveryLockPath, type DeliveryProgress, progressOf } from "../../deliver/sync.ts";
import type { Installation } from "../../store/installation.ts";
import { SYSTEM } from "../../system/system.ts";
import { isLockHeld } from "./database.ts";
import {
  type Finding,
  NOT_USED,
  type NotUsed,
  type OpenDoctorContext,
  rekey,
} from "../findings.ts";

/** Programs that get keys: whether each holds what it should hold, and who else can read its file. */
export async function deliveriesCheck(context: OpenDoctorContext): Promise<Finding[] | NotUsed> {
  const { installation, begunAt } = context;
  const progress = await settledProgress(installation, begunAt + DELIVERS_MS);
  if (progress.length === 0) return NOT_USED;
  const facts = describeDeliveries(installation, progress);
  const behind = facts.filter(({ followed }) => !followed).map(({ name, failure }): Finding => ({
    code: "delivery_behind",
    what: `The program of ${name} has not followed${failure === null ? "" : `: ${failure}`}`,
    why: "It may refuse valid tokens, or accept those of a key that has ended",
    command: rekey(context, `deliver sync ${name}`),
  }));
  return [...behind, ...unwatched(context), ...progress.filter(isOnDisk).map(onDisk)];
}

// A delivery takes as long as the program that is asked, and a server looks once a second whether one is due.
const DELIVERS_MS = 3_000;
const DUE_MS = 2_000;
const LOOK_EVERY_MS = 50;

/**
 * How far deliveries have come, once they had time for it and no process is delivering; a program that hangs is not waited
 * for.
 *
 * @param end when the wait ends at the latest, as `performance.now()` counts.
 */
async function settledProgress(
  installation: Installation,
  end: number,
): Promise<DeliveryProgress[]> {
  const { database } = installation;
  for (;;) {
    const change = database.change();
    const progress = await progressOf(installation);
    const isAtWork = () =>
      isLockHeld(deliveryLockPath(installation)) || change !== database.change();
    const isBehind = progress.some(({ isUpToDate }) => !isUpToDate);
    const since = installation.now() - DUE_MS;
    const isDue = progress.some(({ delivery: { state }, behindSince }) =>
      state.failure === null && behindSince !== null && behindSince > since
    );
    if (!isBehind || performance.now() > end || !(isDue || isAtWork())) return progress;
    await delay(LOOK_EVERY_MS);
  }
}

// Its units were made before the first delivery, or are those of a package.
function unwatched(context: OpenDoctorContext): Finding[] {
  const { schedules } = context;
  return schedules().filter(({ isWatched }) => !isWatched).map(({ command }): Finding => ({
    code: "schedule_older",
    what: "The schedule that rotates is older than the first delivery",
    why: "Nothing takes old keys away from programs in time unless a server runs, and its limits " +
      "may keep it from telling them",
    command: `# ${rekey(context, command)}, with the flags that it was made with`,
  }));
}

// <linux/magic.h>: TMPFS_MAGIC and RAMFS_MAGIC.
const IN_MEMORY = [0x01021994, 0x858458f6];

function isOnDisk({ delivery: { settings: { path } } }: DeliveryProgress): boolean {
  if (SYSTEM.os !== "linux") return true;
  try {
    return !IN_MEMORY.includes(statfsSync(dirname(path)).type);
  } catch {
    // The folder is not there: it is reported as behind.
    return false;
  }
}

function onDisk({ delivery: { name, settings: { path } } }: DeliveryProgress): Finding {
  return {
    code: "delivery_on_disk",
    what: `The file of ${name} is on a disk: ${path}`,
    why: "Backups and copies of that disk hold the keys, and old ones keep them",
    command: "# deliver to a path in /run, or leave the file out of backups",
  };
}
