import type { Advice, Invocation, Moves, Paths, UserEnvironment } from "../system.ts";
import { dirname, posix } from "node:path";
import { renameSync, rmSync } from "node:fs";

/** A word of a shell's command line. */
export function quotedWord(text: string): string {
  return /^[\w@%+=:,./~-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** POSIX has it there. */
export function shell(commandLine: string): Invocation {
  return { program: "/bin/sh", args: ["-c", commandLine] };
}

/** What the line leaves running has stderr as well. */
export function shellToStderr(commandLine: string): Invocation {
  return shell(`exec >&2\n${commandLine}`);
}

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

/** Renaming and deleting as POSIX has them. */
export const unixMoves: Moves = {
  takesOpenFiles: true,
  rename: renameSync,
  remove: (path) => rmSync(path, { force: true }),
  removeFolder: (path) => rmSync(path, { force: true, recursive: true }),
};

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
