import type { UserEnvironment } from "./paths.ts";
import type { System } from "./system.ts";
import { inHome, unixPaths } from "./unix/paths.ts";
import { unixAdvice } from "./unix/advice.ts";
import { UnixStreams } from "./unix/streams.ts";
import { unixMoves } from "./unix/moves.ts";
import { unixPrivacy } from "./unix/privacy.ts";
import { askSystem, macosIdentities } from "./macos/identity.ts";
import { raiseFileLimit } from "./unix/file_limit.ts";
import { plainServing } from "./serving.ts";
import { unixProcesses } from "./unix/processes.ts";
import { unixPrograms } from "./unix/programs.ts";

// By its whole path: the loader looks for a plain name in the working folder too.
const LIBC = "/usr/lib/libSystem.B.dylib";

// Of <sys/syslimits.h>: macOS says that there is no limit of open files, and takes none that is higher.
const OPEN_MAX = 10_240n;

/** macOS. */
export const macos: System = {
  os: "darwin",
  paths: { ...unixPaths, baseFolders, sharedFolder: undefined },
  privacy: unixPrivacy,
  moves: unixMoves,
  streams: new UnixStreams(LIBC, 0x4 | 0x1000000),
  libc: LIBC,
  advice: unixAdvice,
  processes: unixProcesses(macosIdentities(askSystem)),
  programs: unixPrograms,
  serving: {
    ...plainServing,
    hasUnixSockets: true,
    raiseFileLimit: () => raiseFileLimit({ library: LIBC, resource: 8, most: OPEN_MAX }),
  },
  schedule: "launchd",
  hasSecretService: false,
  prepareAddon() {},
};

// As Apple's guide has it: what a program keeps, and what it can make again. No app's name has a space in it.
function baseFolders(around: UserEnvironment) {
  return {
    data: inHome(around, "Library/Application Support"),
    config: inHome(around, "Library/Application Support/rekey keys"),
    cache: inHome(around, "Library/Caches/rekey"),
  };
}
