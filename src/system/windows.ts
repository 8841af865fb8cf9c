import { PLAIN_SERVING } from "./processes.ts";
import type { System } from "./system.ts";
import { windowsFiles, windowsPaths, windowsStreams } from "./windows/files.ts";
import { prepareAddon } from "./windows/kernel.ts";
import { WindowsPermissions } from "./windows/permissions.ts";
import { windowsAdvice, windowsProcesses, windowsPrograms } from "./windows/processes.ts";

export const windows: System = {
  os: "windows",
  paths: windowsPaths,
  permissions: new WindowsPermissions(),
  owners: undefined,
  files: windowsFiles,
  quickLooks: () => undefined,
  memory: undefined,
  streams: windowsStreams,
  channels: undefined,
  advice: windowsAdvice,
  processes: windowsProcesses,
  programs: windowsPrograms,
  serving: PLAIN_SERVING,
  caller: () => ({}),
  schedule: "windows",
  hasSecretService: false,
  fasterSignatures: () => Promise.resolve(undefined),
  prepareAddon,
  giveBackMemory() {},
};
