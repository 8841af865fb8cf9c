import { HERE } from "../../system/here.ts";
import { dirname } from "node:path";
import { isRekeyError, type RekeyError } from "../../core/errors.ts";
import { backendAt } from "../../cluster/backend.ts";
import { SecretManager } from "../../secret/manager.ts";
import { type Leftover, leftovers, STAGE } from "../../secret/recover.ts";
import { Database } from "../../store/sqlite/database.ts";
import { lockPath, takeLock } from "../../store/sqlite/lock.ts";
import { knownApps } from "../../store/known_apps.ts";
import { Installation } from "../../store/installation.ts";
import { isLockedByOthers } from "../../files/file_moves.ts";
import { isThere, sizeOf } from "../../files/file_errors.ts";
import { namesIn } from "../../files/private_files.ts";
import { type Finding, shellWord } from "../finding.ts";
import { type DoctorContext, firstThatRuns, type OpenDoctorContext, rekey } from "../context.ts";

// A command of rekey's own has its transaction open for a few milliseconds.
const PATIENCE_MS = 1_000;

/** Opens the database as it is, or finds why it cannot be. */
export function opened(
  context: DoctorContext,
): { installation?: Installation; findings: Finding[] } {
  try {
    const installation = Installation.openAsFound(context.environment);
    if (installation?.versions.current() !== undefined) return { installation, findings: [] };
    installation?.close();
    return { findings: [notInitialised(context)] };
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    return { findings: [refused(context, error)] };
  }
}

/** The database: sound, writable, with nothing left in it that another command should have finished. */
export function databaseCheck(context: OpenDoctorContext): Finding[] {
  const { database } = context.installation;
  // Before anything is opened for writing, which may fold the log in.
  const log = sizeOf(`${database.path}-wal`);
  const rotating = lockIsHeld(database.path);
  const findings = writable(context);
  if (!database.isSound()) findings.push(damaged(context));
  if (rotating) return [...findings, UNDER_WAY];
  const left = leftovers(context.installation);
  const staged = namesIn(dirname(database.path)).some((name) => name.startsWith(STAGE));
  if (left.length > 0 || staged) findings.push(unfinished(context, left, staged));
  // Whoever has the database open empties it: a server, or a program under `exec --on-rotate`.
  if (log > 0 && isLockedByOthers(database.path) === false) findings.push(logLeft(context, log));
  return findings;
}

function writable(context: OpenDoctorContext): Finding[] {
  const { path } = context.installation.database;
  try {
    Database.tryToWrite(path, PATIENCE_MS);
    return [];
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    if (error.code !== "busy") return [refused(context, error)];
    return [{
      code: "database_locked",
      what: `Another program has had a transaction open on ${path} for longer than a second`,
      why: "Tokens still verify; rotations and logins wait for it and are refused as busy",
      command: firstThatRuns(
        context,
        [`fuser -v ${shellWord(path)}`, `lsof ${shellWord(path)}`],
        `find the program that has ${path} open, and end it`,
      ),
    }];
  }
}

function lockIsHeld(path: string): boolean {
  if (!isThere(lockPath(path))) return false;
  try {
    using _lock = takeLock(lockPath(path), 0);
    return false;
  } catch (error) {
    if (isRekeyError(error, "busy")) return true;
    if (isRekeyError(error)) return false;
    throw error;
  }
}

const UNDER_WAY: Finding = {
  code: "under_way",
  what: "Another rekey is rotating, restoring or moving the secret just now",
  why: "What it leaves in between is not looked at",
  command: null,
};

const LEFT: Record<Leftover, string> = {
  rotation: "a rotation that did not reach its commit",
  grace: "the value of a grace window that is over",
  clock: "a grace window that was set while the clock was ahead",
  log: "pages that held a value",
  kek: "a key file that another one has replaced",
  keyring: "keyring items that are not as the database says",
};

function unfinished(context: DoctorContext, left: Leftover[], staged: boolean): Finding {
  const things = left.map((name) => LEFT[name]);
  if (staged) things.push("the folder of a restoration that was killed");
  return {
    code: "unfinished",
    what: `Another command has left ${things.join(", ")}`,
    why: "It was killed, or the keyring was away; whether a token verifies does not depend on it",
    command: rekey(context, "doctor --fix"),
    mend: () => finish(context),
  };
}

function logLeft(context: DoctorContext, bytes: number): Finding {
  return {
    code: "log_left",
    what: `The write-ahead log holds ${Math.ceil(bytes / 1024)} KiB`,
    why: "A program was killed that had the database open; nothing in it is lost",
    command: rekey(context, "doctor --fix"),
    mend: () => finish(context),
  };
}

async function finish({ environment }: DoctorContext): Promise<void> {
  const secrets = new SecretManager(environment, backendAt);
  try {
    const database = await secrets.underLock(({ database }) => Promise.resolve(database));
    database.truncateLog();
  } finally {
    secrets.close();
  }
}

function notInitialised(context: DoctorContext): Finding {
  const { name } = context.environment.app;
  const others = knownApps(context.environment).filter(({ version }) => version !== null);
  const known = others.map(({ app, folder }) => `${app} in ${folder}`).join(", ");
  return {
    code: "not_initialised",
    what: `There is no JWT secret of app ${
      JSON.stringify(name)
    } in ${context.environment.folders.data}`,
    why: "None was made yet, or the database is gone: then restore a backup instead. " +
      "A secret that an application left in the keyring is taken up and not replaced" +
      (known === "" ? "" : `. Known here: ${known}`),
    command: rekey(context, "init"),
  };
}

function damaged(context: DoctorContext): Finding {
  return {
    code: "database_damaged",
    what: `${Installation.path(context.environment)} is not as rekey wrote it`,
    why:
      "A disk or another program has changed it; the damaged file is kept aside by a restoration",
    command: rekey(context, "restore BACKUP --force"),
  };
}

/** What a refusal of the database means. */
export function refused(context: DoctorContext, { code, message, hint = "" }: RekeyError): Finding {
  const path = Installation.path(context.environment);
  switch (code) {
    case "database_damaged":
      return { ...damaged(context), what: message };
    case "database_foreign":
      return { code, what: message, why: hint, command: "rekey --data-dir FOLDER init" };
    case "database_newer":
      return { code, what: message, why: hint, command: "rekey version" };
    default:
      return {
        code: "database_unusable",
        what: message,
        why: hint,
        command: HERE.advice.show(path),
      };
  }
}
