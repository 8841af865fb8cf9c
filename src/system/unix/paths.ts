import { posix } from "node:path";
import type { Paths, UserEnvironment } from "../paths.ts";

/** A folder in the home folder. */
export function inHome({ home }: UserEnvironment, folder: string): string | undefined {
  return home === undefined ? undefined : posix.join(home, folder);
}

/** How every Unix writes its paths. */
export const unixPaths = {
  root: "/",
  delimiter: posix.delimiter,
  join: posix.join,
  isWhole: posix.isAbsolute,
  faultOf: () => undefined,
  faultOfName: () => undefined,
} satisfies Partial<Paths>;
