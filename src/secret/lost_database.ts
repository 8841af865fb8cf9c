import { join } from "node:path";
import { RekeyError } from "../core/errors.ts";
import { isThere, namesIn } from "../files/files.ts";
import type { Environment } from "../store/environment.ts";
import { elsewhere } from "../store/known_apps.ts";
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
  const { app, folders: { config } } = environment;
  if (config === undefined || !isThere(config) || elsewhere(environment).length > 0) return [];
  const pattern = new RegExp(`^${RegExp.escape(app.name)}-[\\w-]{16}\\.kek$`);
  return namesIn(config).filter((name) => pattern.test(name)).map((name) => join(config, name));
}

/** What a copy does not bring back. */
export const BACKUP_FIRST = "a backup of your own brings back more than an automatic copy: " +
  "a secret that was in the database, users, sessions and the audit log";

/** @throws {RekeyError} `already_initialised` when the database was lost: another secret would be made by accident. */
export function refuseAfterLoss(environment: Environment): void {
  const [newest] = copiesOfLost(environment);
  if (newest === undefined) return;
  throw new RekeyError(
    "already_initialised",
    `Cannot make a JWT secret of app ${JSON.stringify(environment.app.name)}: there was one, its ` +
      `database is gone, and its automatic copies are there`,
    {
      hint: `Bring it back with \`rekey restore ${newest}\`; ${BACKUP_FIRST}. To start over, ` +
        "`rekey destroy` deletes the copies, and `rekey init` works then",
    },
  );
}
