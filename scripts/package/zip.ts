import { zipSync } from "fflate";
import type { Packed } from "./contents.ts";
import { bytesOf } from "./stage.ts";

// Which system's attributes those of a file are, and where its mode stands in them.
const UNIX = 3, MODE_BITS = 16, REGULAR = 0o100000;

/**
 * A .zip archive of files, in the order of their names.
 *
 * @param level of compression, from 0 for none to 9.
 * @param time seconds since 1970. A .zip has no time zone, and none before 1980: the day is written, at noon.
 */
export function zipped(
  files: ReadonlyMap<string, Packed>,
  time: number,
  level: 0 | 6 = 6,
): Uint8Array {
  const day = new Date(Math.max(time, Date.UTC(1980, 0, 2) / 1000) * 1000);
  // fflate writes the local time, and no zone's clock jumps at noon.
  const mtime = new Date(day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate(), 12);
  const sorted = [...files].sort(([a], [b]) => a < b ? -1 : 1);
  return zipSync(
    Object.fromEntries(sorted.map(([path, { data, mode }]) => [
      path,
      [bytesOf(data), { os: UNIX, attrs: (REGULAR | mode) * 2 ** MODE_BITS }],
    ])),
    { level, mtime },
  );
}
