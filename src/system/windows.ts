import type { System } from "./system.ts";
import { windowsPaths } from "./windows/paths.ts";
import { prepareAddon } from "./windows/loading.ts";
import { plainServing } from "./serving.ts";
import { windowsAdvice } from "./windows/advice.ts";
import { windowsStreams } from "./windows/streams.ts";
import { windowsMoves } from "./windows/moves.ts";
import { WindowsPrivacy } from "./windows/privacy.ts";
import { windowsProcesses } from "./windows/processes.ts";
import { windowsPrograms } from "./windows/programs.ts";

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
