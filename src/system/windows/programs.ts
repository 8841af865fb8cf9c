import { win32 } from "node:path";
import type { Programs, TakeSignal } from "../programs.ts";
import { wasSent } from "./ctrl_c.ts";
import { Job } from "./job.ts";
import { systemFolder } from "./kernel.ts";

// Of PATHEXT those that Windows starts by itself; the others are documents of some program.
const ENDINGS = [".com", ".exe", ".bat", ".cmd"];

/** Programs as Windows has them. */
export const windowsPrograms: Programs = {
  get usualFolders() {
    return systemFolder();
  },
  placesOf,
  mayExecute: (path) => ENDINGS.includes(win32.extname(path).toLowerCase()),
  needs:
    "A program ends in .com, .exe, .bat or .cmd; one of the last two takes no line end in an argument",
  sendable: [],
  keepTogether: ({ pid }) => new Job(pid),
  onSignals,
  // What ends a program here is a status.
  dieOf() {},
};

// Not in the current folder, unless it is named: cmd looks there first, and anyone may have put something there.
function placesOf(name: string, folders: string): string[] {
  const names = ENDINGS.includes(win32.extname(name).toLowerCase())
    ? [name]
    : ENDINGS.map((ending) => name + ending);
  if (name === "" || /[\\/:]/.test(name)) return names;
  const unquoted = folders.split(";").map((folder) => folder.replaceAll('"', "").trim());
  return unquoted.filter((folder) => win32.isAbsolute(folder))
    .flatMap((folder) => names.map((name) => win32.join(folder, name)));
}

// The console sends them to every program in it.
function onSignals(take: TakeSignal): void {
  Deno.addSignalListener("SIGINT", () => {
    if (!wasSent()) take("SIGINT", true);
  });
  Deno.addSignalListener("SIGBREAK", () => take("SIGBREAK", true));
}
