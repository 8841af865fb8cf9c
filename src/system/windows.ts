import type { System } from "./system.ts";
import { windowsPaths } from "./windows/paths.ts";
import { windowsPrivacy } from "./windows/privacy.ts";
import { shell, word } from "./windows/shell.ts";

export const windows: System = {
  os: "windows",
  paths: windowsPaths,
  privacy: windowsPrivacy,
  processes: { shell, quoted: word },
  schedule: "windows",
  hasSecretService: false,
};
