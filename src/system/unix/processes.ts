import { userInfo } from "node:os";
import { kill } from "../kill.ts";
import type { Identities, ProcessControl } from "../processes.ts";
import { begin, heed } from "./begin.ts";
import { quotedWord, shell, shellToStderr } from "./shell.ts";

/** Processes as POSIX has them. */
export function unixProcesses(identities: Identities): ProcessControl {
  return {
    begin,
    heed,
    shell,
    shellToStderr,
    quoted: quotedWord,
    stopping: ["SIGINT", "SIGTERM", "SIGHUP"],
    reloading: "SIGHUP",
    endTree: (child) => Promise.resolve(kill(child, "SIGKILL")),
    identities,
    account,
  };
}

function account(): string {
  try {
    return userInfo().username;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    // A user id without a name, as containers have it.
    return `uid ${Deno.uid()}`;
  }
}
