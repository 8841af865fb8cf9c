import type { App, Folders } from "../core/app.ts";
import { quoted, RekeyError } from "../core/errors.ts";

/** Default folders and path syntax of a system. */
export interface Paths {
  /**
   * The default folders.
   *
   * @throws {RekeyError} `usage` if an environment variable that names one is not a usable path.
   */
  baseFolders(user: UserEnvironment): BaseFolders;
  /** The folder for data of services, where the system has a usual one. */
  readonly sharedFolder: string | undefined;
  /** Whether a path is absolute, including the drive. */
  isWhole(path: string): boolean;
  join(...parts: string[]): string;
  /** Separator of the folders in PATH. */
  readonly delimiter: string;
  /** How an absolute path begins, for hints: `/`. */
  readonly root: string;
  /** Why a text is not a usable path on this system. {@linkcode faultOfPath} has the reasons of all systems. */
  faultOf(text: string): string | undefined;
  /** Why a file cannot have this name. */
  faultOfName(name: string): string | undefined;
}

/** Default folders of a user; `undefined` without a home folder. */
export interface BaseFolders {
  /** Each app has a subfolder of its own name. */
  readonly data: string | undefined;
  /** Generated key files. No app's data folder is the same or contains it. */
  readonly config: string | undefined;
  readonly cache: string | undefined;
}

/** Home folder and environment variables of the user. */
export interface UserEnvironment {
  /** An absolute path. */
  readonly home: string | undefined;
  /** A variable; `undefined` if it is not set or empty. */
  env(name: string): string | undefined;
}

/**
 * The folders of an app.
 *
 * @param dataDir the folder that the operator named.
 * @throws {RekeyError} `usage` if no folder is named and there is no home folder, a folder is not a usable path, or the
 * system allows no files of the app's name.
 */
export function foldersFor(
  app: App,
  user: UserEnvironment,
  dataDir: string | undefined,
  { paths }: { paths: Paths },
): Folders {
  const fault = paths.faultOfName(app.name);
  if (fault !== undefined) {
    throw new RekeyError("usage", `Cannot use ${quoted(app.name)} as an app name: ${fault}`, {
      hint: "Choose another name, with --app or REKEY_APP",
    });
  }
  const { data, config, cache } = paths.baseFolders(user);
  const defaultData = data && paths.join(data, app.name);
  const folder = dataDir ?? defaultData;
  if (folder === undefined) {
    throw new RekeyError("usage", "Cannot choose a data folder: there is no home folder", {
      hint: "Name a folder with --data-dir or REKEY_DATA_DIR, or set HOME to an absolute path",
    });
  }
  return { data: folder, defaultData, dataNamed: dataDir !== undefined, config, cache };
}

// Shells expand these; systemd's Environment=, docker's --env-file and --flag=VALUE do not.
const FAULTS: readonly [pattern: RegExp, fault: string][] = [
  [/^\s|\s$/, "it begins or ends with a space or a line end"],
  [/^['"`]|['"`]$/, "it has quotation marks around it"],
  [/^~/, "it begins with ~, which nothing has expanded"],
  [/^\/(.*\/)?~(\/|$)/, "it has a ~ in it, which nothing has expanded"],
  [/\$[A-Za-z_({]/, "it has a $ in it, which nothing has expanded"],
  [/%[A-Za-z](?![A-Za-z0-9])/, "it has a % in it, which nothing has expanded"],
  [/^%[A-Za-z]\w*%/, "it has a % in it, which nothing has expanded"],
  [/^[A-Za-z][A-Za-z0-9+.-]+:\/\//, "it is a URL"],
  [/\0/, "it has a zero byte in it"],
];

/** Why a text is probably not the path that the user meant; `undefined` if it is fine. */
export function faultOfPath(text: string, paths: Paths): string | undefined {
  return FAULTS.find(([pattern]) => pattern.test(text))?.[1] ?? paths.faultOf(text);
}

/**
 * Checks a path from an environment variable. It must be absolute: a relative path would be another folder in each
 * working directory, and rekey would create a folder or a secret there.
 *
 * @throws {RekeyError} `usage` if it is relative or not a usable path.
 */
export function pathOf(variable: string, value: string, paths: Paths): string {
  const fault = faultOfPath(value, paths) ??
    (/\s#/.test(value) ? "it has a comment after it" : undefined) ??
    (paths.isWhole(value) ? undefined : "it is a relative path");
  if (fault === undefined) return value;
  const hint = `Write the absolute path, starting with ${paths.root}, without quotation marks`;
  throw unusablePath(variable, fault, hint);
}

/** Checks a path from a flag or an argument; it may be relative. @throws {RekeyError} `usage`. */
export function pathGiven(name: string, value: string, paths: Paths): string {
  const fault = faultOfPath(value, paths);
  if (fault === undefined) return value;
  const hint = fault === paths.faultOf(value)
    ? "Name another file or folder"
    : asMeant(value, paths);
  throw unusablePath(name, fault, hint);
}

// A name that really is like that is let in where ./ tells it from what a shell would have expanded.
function asMeant(value: string, paths: Paths): string {
  const isHelped = !paths.isWhole(value) && faultOfPath(`./${value}`, paths) === undefined;
  return `Write the path itself; if its name really ${
    isHelped ? "begins like that, put ./ before it" : "is like that, name a link to it"
  }`;
}

function unusablePath(name: string, fault: string, hint: string): RekeyError {
  return new RekeyError("usage", `Cannot use ${name}: ${fault}`, { hint });
}
