import { dirname } from "node:path";
import type { Advice } from "../system.ts";
import { quotedWord } from "./shell.ts";

/** For POSIX shells. */
export const unixAdvice: Advice = {
  makeKey: "head -c 32 /dev/urandom | base64 > FILE",
  convert: "iconv converts it",
  show: (path) => `ls -ld ${quotedWord(dirname(path))} ${quotedWord(path)}`,
  largest: (folder) => `du -xah ${quotedWord(mountPoint(folder))} | sort -h | tail`,
};

/** The folder at which the file system is mounted that a path is on. */
function mountPoint(path: string): string {
  const real = Deno.realPathSync(path);
  const { dev } = Deno.statSync(real);
  const parents = real.split("/").map((_, i, all) => all.slice(0, i + 1).join("/") || "/");
  return parents.find((parent) => Deno.statSync(parent).dev === dev) ?? real;
}
