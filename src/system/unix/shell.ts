import type { Invocation } from "../processes.ts";

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
