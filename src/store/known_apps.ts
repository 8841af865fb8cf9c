import { closing } from "../core/closing.ts";
import { readdirSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { Location } from "../core/location.ts";
import { isRekeyError } from "../core/errors.ts";
import { lockPath } from "./sqlite/lock.ts";
import { isSqliteError } from "./sqlite/node_sqlite.ts";
import { closeAsLast } from "./sqlite/write_ahead_log.ts";
import { dirname, join } from "node:path";
import { Installation } from "./installation.ts";
import type { Environment } from "./environment.ts";
import { SYSTEM } from "../system/system.ts";
import { isThere } from "../files/files.ts";
import { isSamePlace, placeKey } from "../files/real_place.ts";

// Finds rekey databases other than the one in use, and changes nothing in them.

/**
 * Whether the rekey database at `path` has a version with this kid that is not retired; false for any other file.
 */
export function knowsKid(path: string, kid: string): boolean {
  if (!isThere(path)) return false;
  using sqlite = new DatabaseSync(path, { readOnly: true });
  try {
    return sqlite.prepare("SELECT 1 FROM rekey_versions WHERE kid = ? AND state <> 'retired'")
      .get(kid) !== undefined;
  } catch {
    return false;
  }
}

/** What can be read from a database without a KEK. */
interface Glance {
  readonly app: string | null;
  readonly location: Location | null;
  readonly version: number | null;
  /** Milliseconds since the epoch. */
  readonly createdAt: number | null;
  readonly readable: boolean;
}

/** A file that cannot be read. */
const UNREADABLE: Glance = {
  app: null,
  location: null,
  version: null,
  createdAt: null,
  readable: false,
};

/**
 * Reads the rekey database at `path`, and leaves no file beside it.
 *
 * @returns `undefined` when there is no file, or one of another kind.
 */
function lookInto(path: string): Glance | undefined {
  try {
    // A database of rekey has a lock file beside it; databases of other programs are not opened.
    if (!statSync(path).isFile() || !statSync(lockPath(path)).isFile()) return undefined;
  } catch {
    return undefined;
  }
  const leavesFiles = !isThere(`${path}-shm`);
  const found = read(path);
  try {
    if (leavesFiles) closeAsLast(path);
  } catch (error) {
    // What was found stands. A file that is not a database fails here too.
    if (!isRekeyError(error) && !isSqliteError(error)) throw error;
  }
  return found;
}

function read(path: string): Glance | undefined {
  try {
    return closing(new DatabaseSync(path, { readOnly: true }), glance);
  } catch (error) {
    // After other errors, such as SQLITE_CANTOPEN, it may be a rekey database.
    return /no such table|not a database/.test(String(error)) ? undefined : UNREADABLE;
  }
}

function glance(sqlite: DatabaseSync): Glance {
  const app = sqlite.prepare("SELECT value FROM rekey_meta WHERE key = 'app'").get()?.value;
  const row = sqlite.prepare(
    "SELECT version, location, created_at FROM rekey_versions WHERE state = 'current'",
  ).get();
  return {
    app: typeof app === "string" ? app : null,
    location: (row?.location ?? null) as Location | null,
    version: row === undefined ? null : Number(row.version),
    createdAt: row === undefined ? null : Number(row.created_at),
    readable: true,
  };
}

/** An app's database, without its secret. */
export interface KnownApp {
  readonly app: string;
  readonly folder: string;
  readonly database: string;
  /** Location of the current version; `null` when there is no version, or the database cannot be read. */
  readonly location: Location | null;
  readonly version: number | null;
  /** Milliseconds since the epoch. */
  readonly createdAt: number | null;
  /** Whether a command with the same flags and variables uses it. */
  readonly used: boolean;
  readonly readable: boolean;
}

/** Where the current version is, by the database or copy at `path`; `null` when it cannot say. */
export function locationIn(path: string): Location | null {
  return read(path)?.location ?? null;
}

const MOST = 100;

/**
 * The apps with databases in the data folder, the default folder, the folders of this user's other apps and the system's
 * folder. Reads only: no prompt, no change.
 */
export function knownApps(environment: Environment): KnownApp[] {
  const own = Installation.path(environment);
  const found = candidates(environment).map((path) => described(path, isSamePlace(path, own)));
  return found.filter((one): one is KnownApp => one !== undefined).slice(0, MOST);
}

/** The same app's databases in the other standard folders. */
export function elsewhere(environment: Environment): KnownApp[] {
  const { app, folders } = environment;
  const own = Installation.path(environment);
  const shared = SYSTEM.paths.sharedFolder;
  const places = [
    Installation.defaultPath(app, folders),
    ...shared === undefined
      ? []
      : [join(shared, `${app.name}.db`), join(shared, app.name, `${app.name}.db`)],
  ];
  return places.filter((path) => path !== undefined && !isSamePlace(path, own))
    .map((path) => described(path!, false))
    .filter((one): one is KnownApp => one !== undefined && one.version !== null);
}

function candidates({ app, folders }: Environment): string[] {
  const { data, defaultData } = folders;
  const named = (folder: string) =>
    namesIn(folder).filter((name) => name.endsWith(".db")).map((name) => join(folder, name));
  // One folder for each app, named after it.
  const each = (base: string) => namesIn(base).map((name) => join(base, name, `${name}.db`));
  const base = defaultData === undefined ? [] : each(dirname(defaultData));
  const { sharedFolder } = SYSTEM.paths;
  const shared = sharedFolder === undefined ? [] : [...named(sharedFolder), ...each(sharedFolder)];
  const first = join(data, `${app.name}.db`);
  const all = [first, ...named(data), ...base, ...shared];
  // A folder may have several names; the first of them is the one in use.
  return [...Map.groupBy(all, placeKey).values()].map(([path]) => path!);
}

function described(path: string, used: boolean): KnownApp | undefined {
  // A foreign file at the path in use counts as an unreadable app, since `init` refuses it.
  const found = lookInto(path) ?? (used && isThere(path) ? UNREADABLE : undefined);
  if (found === undefined) return undefined;
  const name = path.slice(dirname(path).length + 1, -".db".length);
  return { ...found, app: found.app ?? name, folder: dirname(path), database: path, used };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    // Missing, or another user's.
    return [];
  }
}
