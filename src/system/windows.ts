import { plainServing, type System } from "./system.ts";
import { windowsAdvice, windowsPaths } from "./windows/basics.ts";
import { prepareAddon } from "./windows/kernel.ts";
import { windowsProcesses, windowsPrograms, windowsStreams } from "./windows/processes.ts";
import { windowsMoves } from "./windows/moves.ts";
import { WindowsPrivacy } from "./windows/privacy.ts";

/** Windows. */
export const windows: System = {
  os: "windows",
  paths: windowsPaths,
  moves: windowsMoves,
  streams: windowsStreams,
  libc: undefined,
  advice: windowsAdvice,
  privacy: new WindowsPrivacy(),
  processes: windowsProcesses,
  programs: windowsPrograms,
  serving: plainServing,
  schedule: "windows",
  hasSecretService: false,
  prepareAddon,
};
