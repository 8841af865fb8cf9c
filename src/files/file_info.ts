import { statSync } from "node:fs";
import { dirname } from "node:path";
import { infoOf } from "../system/files.ts";
import { explainFiles } from "./file_errors.ts";

/**
 * Whether a file exists, also if it is a broken link. In a folder that does not exist nothing does.
 *
 * @throws {RekeyError} `database_unusable` if the folder cannot be read or is a broken link.
 */
export function isThere(path: string): boolean {
  return explainFiles(path, () => {
    if (infoOf(path) !== undefined) return true;
    if (infoOf(dirname(path))?.isSymlink) statSync(dirname(path));
    return false;
  });
}

/**
 * Device and inode, which differ between a file and one that replaces it while the first one is open; `undefined` if it
 * does not exist.
 */
export function fileIdentity(path: string): string | undefined {
  return explainFiles(path, () => {
    try {
      const { dev, ino } = Deno.statSync(path);
      return `${dev}:${ino}`;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  });
}

/** When a file was last changed, in milliseconds since the epoch; `Infinity` if it does not exist. */
export function timeOf(path: string): number {
  return explainFiles(path, () => infoOf(path)?.mtime?.getTime() ?? Infinity);
}

/** Size of a file in bytes; 0 if it does not exist. */
export function sizeOf(path: string): number {
  return explainFiles(path, () => infoOf(path)?.size ?? 0);
}
