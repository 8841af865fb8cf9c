import { statSync } from "node:fs";
import { dirname } from "node:path";
import { explainFiles } from "./file_errors.ts";
import { infoOf } from "../system/file_info.ts";

/**
 * Whether something has that name in a folder. A folder that is not there holds nothing; one that cannot be
 * looked into, or a link to nowhere in its place, is no such answer.
 *
 * @throws {RekeyError} `database_unusable` when it cannot be told.
 */
export function isThere(path: string): boolean {
  return explainFiles(path, () => {
    if (infoOf(path) !== undefined) return true;
    if (infoOf(dirname(path))?.isSymlink) {
      statSync(dirname(path));
    }
    return false;
  });
}

/**
 * What tells a file from another one that takes its path later; `undefined` when there is none. A file that
 * somebody has open keeps its number to itself.
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

/** When a file or folder was last changed, milliseconds since the epoch; `Infinity` when it is gone. */
export function timeOf(path: string): number {
  return explainFiles(path, () => infoOf(path)?.mtime?.getTime() ?? Infinity);
}

/** Bytes of a file; 0 when it is not there. */
export function sizeOf(path: string): number {
  return explainFiles(path, () => infoOf(path)?.size ?? 0);
}
