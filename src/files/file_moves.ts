import { closeSync, constants, copyFileSync, fsyncSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { explainFiles, notRegular } from "./file_errors.ts";
import { SYSTEM } from "../system/system.ts";
import { makePrivateFile, syncFolder } from "./private_files.ts";
import { infoOf } from "../system/files.ts";

const { O_NOFOLLOW = 0, O_RDWR } = constants;

/**
 * Writes a finished file to disk and renames it.
 *
 * @returns `false` if a file of that name exists and `replace` is not set.
 */
export function moveIntoPlace(partial: string, path: string, replace: boolean): boolean {
  return explainFiles(path, () => {
    // Windows cannot sync a file that is open for reading only.
    const fd = openSync(partial, O_RDWR | O_NOFOLLOW);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    if (!replace && infoOf(path) !== undefined) return false;
    SYSTEM.files.rename(partial, path);
    syncFolder(dirname(path));
    return true;
  });
}

/** Copies a regular file to a new private file (0600). */
export function copyPrivateFile(from: string, to: string): void {
  explainFiles(from, () => {
    if (!statSync(from).isFile()) throw notRegular(from);
  });
  makePrivateFile(to);
  explainFiles(to, () => copyFileSync(from, to));
}

/**
 * Copies a damaged file to another name, so that a new file can replace it atomically. Files that belong to it are
 * renamed, so that they are not used with the new file.
 *
 * @param endings of the files that belong to it.
 * @returns the name of the copy; `undefined` if the file does not exist.
 */
export function keepAside(path: string, endings: readonly string[]): string | undefined {
  return explainFiles(path, () => {
    const aside = freeName(`${path}.damaged`, endings);
    for (const end of endings) {
      if (infoOf(path + end) !== undefined) SYSTEM.files.rename(path + end, aside + end);
    }
    if (infoOf(path) === undefined) return undefined;
    copyFileSync(path, aside);
    return aside;
  });
}

/** An unused file name, also with each of the endings: the wanted name, or the first free `NAME-2`, `NAME-3`, … */
export function freeName(wanted: string, endings: readonly string[] = []): string {
  const taken = (name: string) => ["", ...endings].some((end) => infoOf(name + end) !== undefined);
  let name = wanted;
  for (let n = 2; taken(name); n++) name = `${wanted}-${n}`;
  return name;
}
