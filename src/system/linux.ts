import type { System, UserEnvironment } from "./system.ts";
import { inHome, unixAdvice, unixMoves, unixPaths } from "./unix/basics.ts";
import { unixProcesses, unixPrograms, UnixStreams } from "./unix/processes.ts";
import { unixPrivacy } from "./unix/privacy.ts";
import { isReadOnly, linuxIdentities } from "./linux/proc.ts";
import { linuxServing } from "./linux/sockets.ts";
import { faultOfPath, pathOf } from "./written_path.ts";

/** Linux. */
export const linux: System = {
  os: "linux",
  paths: { ...unixPaths, baseFolders, sharedFolder: "/var/lib/rekey" },
  privacy: { ...unixPrivacy, isReadOnly },
  moves: unixMoves,
  streams: new UnixStreams("libc.so.6", 0o4000 | 0o2000000),
  libc: "libc.so.6",
  advice: unixAdvice,
  processes: unixProcesses(linuxIdentities),
  programs: unixPrograms,
  // Its module asks which system this is, and may be the first to: it is read when it is needed.
  get serving() {
    return linuxServing;
  },
  schedule: "systemd",
  hasSecretService: true,
  prepareAddon() {},
};

// A relative value for the cache is ignored, as the XDG specification asks; one for what holds secrets and keys is
// refused, since its writer meant another folder than the one that would be used.
function baseFolders(around: UserEnvironment) {
  const named = (name: string, folder: string) => {
    const value = around.env(name);
    return value === undefined ? inHome(around, folder) : pathOf(name, value, linux.paths);
  };
  const cache = around.env("XDG_CACHE_HOME");
  const isUsable = cache?.startsWith("/") && !faultOfPath(cache, linux.paths);
  const of = (folder: string | undefined) => folder && `${folder}/rekey`;
  return {
    data: named("XDG_DATA_HOME", ".local/share"),
    config: of(named("XDG_CONFIG_HOME", ".config")),
    cache: of(isUsable ? cache : inHome(around, ".cache")),
  };
}
