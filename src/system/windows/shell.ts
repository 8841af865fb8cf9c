import type { Invocation } from "../processes.ts";
import { systemFolder } from "./kernel.ts";

/** A word of a line for cmd or PowerShell; a path has no quotation mark in it. */
export function cmdWord(text: string): string {
  return /^[\w@+=:,.\/\\~-]+$/.test(text) ? text : `"${text}"`;
}

/** cmd takes the line as it stands between the outer quotation marks. */
export function cmd(commandLine: string): Invocation {
  return {
    program: `${systemFolder()}\\cmd.exe`,
    args: ["/d", "/s", "/c", `"${commandLine}"`],
    windowsRawArguments: true,
  };
}
