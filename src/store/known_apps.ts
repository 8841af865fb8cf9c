import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Location } from "../core/secret_store.ts";
import { type Environment, Installation } from "./installation.ts";
import { isThere } from "../files/file_facts.ts";
import { HERE } from "../system/here.ts";
import { lookInto, UNREADABLE } from "./other_database.ts";

/** An app's database, wherever it is. Nothing of its secret is here. */
export interface KnownApp {
  readonly app: string;
  readonly folder: string;
  readonly database: string;
  /** Where the current version lives; `null` when there is none, or the database cannot be read. */
  readonly location: Location | null;
  readonly version: number | null;
  /** Milliseconds since the epoch. */
  readonly createdAt: number | null;
  /** Whether a command with the same flags and variables uses it. */
  readonly used: boolean;
  readonly readable: boolean;
}

const MOST = 100;

/**
 * The apps whose databases are in the data folder, in the default one, in that of every other app of this user, and in
 * the system's. They are looked at as they are: nothing is made, changed or asked.
 */
export function knownApps(environment: Environment): KnownApp[] {
  const own = Installation.path(environment);
  const found = candidates(environment).map((path) => described(path, path === own));
  return found.filter((one): one is KnownApp => one !== undefined).slice(0, MOST);
}

/** The same app's secret in another of the usual folders. As {@linkcode knownApps} looks, at those alone. */
export function elsewhere(environment: Environment): KnownApp[] {
  const { app, folders } = environment;
  const own = Installation.path(environment);
  const shared = HERE.paths.sharedFolder;
  const places = [
    Installation.defaultPath(app, folders),
    ...shared === undefined
      ? []
      : [join(shared, `${app.name}.db`), join(shared, app.name, `${app.name}.db`)],
  ];
  return places.filter((path) => path !== undefined && path !== own)
    .map((path) => described(path!, false))
    .filter((one): one is KnownApp => one !== undefined && one.version !== null);
}

function candidates({ app, folders }: Environment): string[] {
  const { data, defaultData } = folders;
  const named = (folder: string) =>
    namesIn(folder).filter((name) => name.endsWith(".db")).map((name) => join(folder, name));
  // One folder an app, called like it.
  const each = (base: string) => namesIn(base).map((name) => join(base, name, `${name}.db`));
  const base = defaultData === undefined ? [] : each(dirname(defaultData));
  const { sharedFolder } = HERE.paths;
  const shared = sharedFolder === undefined ? [] : [...named(sharedFolder), ...each(sharedFolder)];
  const first = join(data, `${app.name}.db`);
  return [...new Set([first, ...named(data), ...base, ...shared])];
}

function described(path: string, used: boolean): KnownApp | undefined {
  // What stands in the place of the database in use is no app that there is not: `init` would be refused.
  const found = lookInto(path) ?? (used && isThere(path) ? UNREADABLE : undefined);
  if (found === undefined) return undefined;
  const name = path.slice(dirname(path).length + 1, -".db".length);
  return { ...found, app: found.app ?? name, folder: dirname(path), database: path, used };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    // It is not there, or another user's.
    return [];
  }
}
