import type { System } from "./system.ts";
import { windowsPaths } from "./windows/paths.ts";
import { windowsAdvice } from "./windows/advice.ts";
import { windowsStreams } from "./windows/streams.ts";
import { windowsMoves } from "./windows/moves.ts";
import { WindowsPrivacy } from "./windows/privacy.ts";
import { shell, word } from "./windows/shell.ts";

export const windows: System = {
  os: "windows",
  paths: windowsPaths,
  moves: windowsMoves,
  streams: windowsStreams,
  libc: undefined,
  advice: windowsAdvice,
  privacy: new WindowsPrivacy(),
  processes: { shell, quoted: word },
  schedule: "windows",
  hasSecretService: false,
};
