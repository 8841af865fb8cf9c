import { join } from "node:path";
import { kill } from "../kill.ts";
import type { Programs } from "../programs.ts";
import { become, dieOf, mayExecute } from "./libc.ts";
import { onSignals, PASSED } from "./signals.ts";

/** Programs as POSIX has them. */
export const unixPrograms: Programs = {
  // As a shell does without PATH.
  usualFolders: "/usr/bin:/bin",
  placesOf,
  // Where the system cannot be asked, starting it tells.
  mayExecute: (path) => mayExecute(path) ?? true,
  needs: "A file needs the permission to be executed, and a script an interpreter that exists (#!)",
  become,
  sendable: PASSED,
  // What it has started is its own to end.
  keepTogether: (child) => ({
    ask() {
      kill(child, "SIGTERM");
      return true;
    },
    end() {},
  }),
  onSignals,
  dieOf,
};

function placesOf(name: string, folders: string): string[] {
  if (name === "" || name.includes("/")) return [name];
  // An empty part of PATH is the current folder.
  return folders.split(":").map((folder) => join(folder || ".", name));
}
