import { closeSync, constants, copyFileSync, fsyncSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { explainFiles, notRegular } from "./file_errors.ts";
import { infoOf } from "../system/file_info.ts";
import { HERE } from "../system/here.ts";
import { makePrivateFile } from "./private_files.ts";
import { syncFolder } from "./private_folders.ts";

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
