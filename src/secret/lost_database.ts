import { join } from "node:path";
import { RekeyError } from "../core/errors.ts";
import { isThere, namesIn } from "../files/files.ts";
import type { Environment } from "../store/environment.ts";
import { elsewhere, locationIn } from "../store/known_apps.ts";
import { Installation } from "../store/installation.ts";
import { automaticCopies } from "./automatic_copy.ts";

// What shows, when there is no database, that there was one.

/** The automatic copies of a database that is gone, newest first; none while it has a version. */
export function copiesOfLost(environment: Environment): string[] {
  const path = Installation.path(environment);
  return isThere(environment.folders.data) ? automaticCopies(path) : [];
}

/** Paths of key files that rekey made for this app, if no other database of the app is known that may need them. */
export function keyFilesOfLost(environment: Environment): string[] {
  return elsewhere(environment).length > 0 ? [] : keyFilesLeft(environment);
}

/** Paths of all key files that rekey made for databases of this app. */
export function keyFilesLeft({ app, folders: { config } }: Environment): string[] {
  if (config === undefined || !isThere(config)) return [];
  const pattern = new RegExp(`^${RegExp.escape(app.name)}-[\\w-]{16}\\.kek$`);
  return namesIn(config).filter((name) => pattern.test(name)).map((name) => join(config, name));
}

/** The newest automatic copy of a database that is gone, and what it brings back. */
export interface LastCopy {
  readonly path: string;
  /** Whether the secret itself was in the database, so that no copy has it. */
  readonly lacksSecret: boolean;
  /** What it does not bring back: a sentence without a capital and a final period. */
  readonly lacks: string;
  /** Flags that `rekey restore` needs with it, each with a space before it. */
  readonly flags: string;
}

/** The newest automatic copy of a database that is gone; `undefined` without one. */
export function lastCopy(environment: Environment): LastCopy | undefined {
  const [path] = copiesOfLost(environment);
  if (path === undefined) return undefined;
  const lacksSecret = locationIn(path) === "database";
  return lacksSecret
    ? { path, lacksSecret, lacks: SECRET_LOST, flags: " --new-secret" }
    : { path, lacksSecret, lacks: BACKUP_FIRST, flags: "" };
}

const BACKUP_FIRST = "a backup of your own brings back more than an automatic copy: " +
  "a secret that was in the database, users, sessions and the audit log";
const SECRET_LOST = "the secret was in it, and only a backup of your own brings that back, with " +
  "users, sessions and the audit log. With --new-secret an automatic copy does without: all sessions end";

/** @throws {RekeyError} `already_initialised` when the database was lost: another secret would be made by accident. */
export function refuseAfterLoss(environment: Environment): void {
  const newest = lastCopy(environment);
  if (newest === undefined) return;
  throw new RekeyError(
    "already_initialised",
    `Cannot make a JWT secret of app ${JSON.stringify(environment.app.name)}: there was one, its ` +
      `database is gone, and its automatic copies are there`,
    {
      hint:
        `Bring it back with \`rekey restore ${newest.path}${newest.flags}\`; ${newest.lacks}. To start over, ` +
        "`rekey destroy` deletes the copies, and `rekey init` works then",
    },
  );
}
