import { processText } from "../system/linux/proc.ts";

/**
 * Whether another process has a lock on a file: SQLite has one for as long as it has a database open in WAL mode.
 *
 * @returns `undefined` where the system does not tell.
 */
export function isLockedByOthers(path: string): boolean | undefined {
  const ino = fileNumber(path);
  if (ino === undefined) return undefined;
  // As proc_locks(5) has it: `1: POSIX ADVISORY READ 708 08:01:2097547 128 128`.
  const text = processText("/proc/locks");
  const locks = text?.matchAll(/^\d+: POSIX +\S+ +\S+ (\d+) (\S+)/gm);
  return locks &&
    [...locks].some(([, pid, file]) =>
      Number(pid) !== Deno.pid && file!.split(":")[2] === String(ino)
    );
}

function fileNumber(path: string): number | undefined {
  try {
    return Deno.statSync(path).ino ?? undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
