import { HERE } from "../system/here.ts";
import { closeSync, constants, copyFileSync, fsyncSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { explainFiles, notRegular } from "./file_errors.ts";
import { infoOf } from "../system/system.ts";
import { makePrivateFile, syncFolder } from "./private_files.ts";
import { processText } from "../system/linux/proc.ts";

/** How long the first bytes may take, and all that come after others, in milliseconds. */
export interface Patience {
  readonly first: number;
  readonly next: number;
}

/**
 * Reads a descriptor to its end, piece by piece.
 *
 * @returns `late` when nothing came in time, `failed` when the system refused.
 */
export function forEachPiece(
  descriptor: number,
  patience: Patience,
  take: (piece: Uint8Array) => void,
): "ended" | "late" | "failed" {
  for (let wait = patience.first;; wait = patience.next) {
    const piece = HERE.streams.next(descriptor, wait);
    if (typeof piece === "string") return piece;
    if (piece.length === 0) return "ended";
    take(piece);
  }
}

const { O_NOFOLLOW = 0, O_RDWR } = constants;

/**
 * Gives a finished file its name, once it is on the disk.
 *
 * @returns false when a file of that name is there and may not be replaced.
 */
export function moveIntoPlace(partial: string, path: string, replace: boolean): boolean {
  return explainFiles(path, () => {
    // For writing too: Windows brings nothing to the disk by a handle that only reads.
    const fd = openSync(partial, O_RDWR | O_NOFOLLOW);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    if (!replace && infoOf(path) !== undefined) return false;
    HERE.moves.rename(partial, path);
    syncFolder(dirname(path));
    return true;
  });
}

/** Copies a regular file to a new one (0600). */
export function copyPrivateFile(from: string, to: string): void {
  explainFiles(from, () => {
    if (!statSync(from).isFile()) throw notRegular(from);
  });
  makePrivateFile(to);
  explainFiles(to, () => copyFileSync(from, to));
}

/**
 * Keeps a damaged file under another name, so that a new one can take its place in one step, and takes away
 * the files beside it, which belong to it and would be taken for the new one's.
 *
 * @param endings of the files beside it.
 * @returns the other name; `undefined` when there is no such file.
 */
export function keepAside(path: string, endings: readonly string[]): string | undefined {
  return explainFiles(path, () => {
    const aside = freeName(`${path}.damaged`, endings);
    for (const end of endings) {
      if (infoOf(path + end) !== undefined) HERE.moves.rename(path + end, aside + end);
    }
    if (infoOf(path) === undefined) return undefined;
    copyFileSync(path, aside);
    return aside;
  });
}

/** A name that no file has, nor one with an ending: the wanted one, or that with a number after it. */
export function freeName(wanted: string, endings: readonly string[] = []): string {
  const taken = (name: string) => ["", ...endings].some((end) => infoOf(name + end) !== undefined);
  let name = wanted;
  for (let n = 2; taken(name); n++) name = `${wanted}-${n}`;
  return name;
}

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
