import { join } from "node:path";
import { quoted, RekeyError } from "./errors.ts";
import { faultOfPath, pathOf } from "./written_path.ts";

/** The app whose secret it is when nobody says otherwise. */
export const DEFAULT_APP = "agiworkforce";

/** Names under which an app's secret is kept; existing installations already use them (design §1). */
export interface App {
  readonly name: string;
  /** Keyring service. */
  readonly service: string;
  /** Keyring account of the current version. */
  readonly account: string;
}

/** Folders that rekey writes to, by absolute path. */
export interface Folders {
  /** The database and its lock. */
  readonly data: string;
  /** Where the database would be if the operator did not name a folder. */
  readonly defaultData: string | undefined;
  /** Whether the operator named the data folder: then it may have other uses too. */
  readonly dataNamed: boolean;
  /** Generated key files: apart from the data, so that a copy of the database opens nothing. */
  readonly config: string | undefined;
  /** The unpacked keyring addon. */
  readonly cache: string | undefined;
}

/**
 * @throws {RekeyError} `usage` for a name that is no plain file name of lower-case letters, digits,
 * `-`, `_` and `.`.
 */
export function appNamed(name: string): App {
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name)) {
    throw new RekeyError("usage", `Cannot use ${quoted(name)} as an app name`, {
      hint:
        "Use up to 64 lower-case letters, digits, '-', '_' and '.', starting with a letter or digit",
    });
  }
  const service = name === DEFAULT_APP ? "AGI Workforce" : name;
  return { name, service, account: `${name}.jwt_secret` };
}

/** What {@linkcode foldersFor} looks at. */
export interface Surroundings {
  readonly os: typeof Deno.build.os;
  /** The user's home folder, from the environment or the user database. */
  readonly home: string | undefined;
  env(name: string): string | undefined;
}

/**
 * Where an app's files live: the XDG folders on Linux, `~/Library` on macOS, `%LOCALAPPDATA%` on
 * Windows. A relative XDG value for the cache is ignored, as the XDG specification asks; one for what holds secrets and
 * keys is refused, since its writer meant another folder than the one that would be used.
 *
 * @throws {RekeyError} `usage` when no folder is named and there is no home folder, or one cannot be what was meant.
 */
export function foldersFor(app: App, around: Surroundings, dataDir?: string): Folders {
  const base = baseFolders(around);
  return {
    data: dataDir ?? join(needed(base.data), app.name),
    defaultData: base.data && join(base.data, app.name),
    dataNamed: dataDir !== undefined,
    config: base.config && join(base.config, "rekey"),
    cache: base.cache && join(base.cache, "rekey"),
  };
}

type BaseFolders = Record<"data" | "config" | "cache", string | undefined>;

function baseFolders({ os, home, env }: Surroundings): BaseFolders {
  const under = (folder: string) => home === undefined ? undefined : join(home, folder);
  const xdg = (name: string, folder: string) => {
    const value = env(name);
    return value === undefined ? under(folder) : pathOf(name, value);
  };
  const cache = env("XDG_CACHE_HOME");
  const all = (folder: string | undefined) => ({ data: folder, config: folder, cache: folder });
  if (os === "windows") return all(env("LOCALAPPDATA") ?? under("AppData\\Local"));
  if (os === "darwin") return all(under("Library/Application Support"));
  return {
    data: xdg("XDG_DATA_HOME", ".local/share"),
    config: xdg("XDG_CONFIG_HOME", ".config"),
    cache: cache?.startsWith("/") && !faultOfPath(cache) ? cache : under(".cache"),
  };
}

function needed(folder: string | undefined): string {
  if (folder !== undefined) return folder;
  throw new RekeyError("usage", "Cannot tell where to keep the data: there is no home folder", {
    hint: "Name a folder with --data-dir or REKEY_DATA_DIR, or set HOME to a whole path",
  });
}
