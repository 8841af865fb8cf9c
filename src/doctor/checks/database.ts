import { dirname } from "node:path";
import { asRefusal, isRekeyError, type RekeyError } from "../../core/errors.ts";
import { CLUSTER } from "../../cluster/backend.ts";
import { keyFilesOfLost, type LastCopy, lastCopy } from "../../secret/lost_database.ts";
import { SecretManager } from "../../secret/manager.ts";
import { STAGE } from "../../store/backup_file.ts";
import { type Leftover, leftovers } from "../../secret/leftovers.ts";
import { mustBeWritable, openLock } from "../../store/sqlite/lock.ts";
import { placePath } from "../../store/sqlite/turn.ts";
import { knownApps } from "../../store/known_apps.ts";
import { Installation } from "../../store/installation.ts";
import { firstOf } from "../../core/words.ts";
import { namesIn, sizeOf } from "../../files/files.ts";
import {
  type DoctorContext,
  type Finding,
  firstInstalled,
  type OpenDoctorContext,
  rekey,
  shellWord,
} from "../findings.ts";
import { infoOf } from "../../system/files.ts";
import { SYSTEM } from "../../system/system.ts";

// A rekey command holds its transaction for a few milliseconds.
const LOCK_WAIT_MS = 1_000;

/** Opens the database without changing it, or reports why it cannot be opened. */
export function openAsFound(
  context: DoctorContext,
): { installation?: Installation; findings: Finding[]; log?: number } {
  try {
    const log = logOfKilled(context);
    const installation = Installation.openAsFound(context.environment);
    if (installation?.versions.current() !== undefined) return { installation, findings: [], log };
    installation?.close();
    return { findings: [notInitialised(context)] };
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    return { findings: [refused(context, error)] };
  }
}

/**
 * Size in bytes of the write-ahead log that a killed program has left. To be asked before the database is opened: whoever
 * ends while it is open leaves a log too.
 */
function logOfKilled({ environment }: DoctorContext): number {
  const path = Installation.path(environment);
  // Who has it open will checkpoint it: a server, or `exec --on-rotate`.
  const isOpen = () => SYSTEM.files.isLockedByOthers(path) !== false;
  const bytes = isOpen() ? 0 : sizeOf(`${path}-wal`);
  return bytes > 0 && isOpen() ? 0 : bytes;
}

/** Checks that the database is intact and writable, and that no interrupted command left work in it. */
export function databaseCheck(context: OpenDoctorContext): Finding[] {
  const { installation: { database }, log = 0 } = context;
  const findings = writable(context);
  if (!database.isSound()) findings.push(damaged(context));
  const found = workLeft(context.installation);
  if (found === undefined) return [...findings, UNDER_WAY];
  const { left, staged } = found;
  if (left.length > 0 || staged) findings.push(unfinished(context, left, staged));
  if (log > 0) findings.push(logLeft(context, log));
  return findings;
}

/** What interrupted commands left; `undefined` while one is at work. None begins during the look. */
function workLeft(
  installation: Installation,
): { left: Leftover[]; staged: boolean } | undefined {
  const { database: { path }, lockPath } = installation;
  return whileFree([placePath(lockPath), lockPath], () => ({
    left: leftovers(installation),
    staged: namesIn(dirname(path)).some((name) => name.startsWith(STAGE)),
  }));
}

function writable(context: OpenDoctorContext): Finding[] {
  const { path } = context.installation.database;
  try {
    mustBeWritable(path, LOCK_WAIT_MS);
    return [];
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    if (error.code !== "busy") return [refused(context, error)];
    return [{
      code: "database_locked",
      what: `Another program has held a transaction on ${path} for more than a second`,
      why: "Tokens still verify; rotations and logins wait for it and then fail as busy",
      command: firstInstalled(
        context,
        [`fuser -v ${shellWord(path)}`, `lsof ${shellWord(path)}`],
        `find the program that has ${path} open, and end it`,
      ),
    }];
  }
}

// Neither makes a lock's file nor changes its mode.
function whileFree<T>([path, ...others]: readonly string[], look: () => T): T | undefined {
  if (path === undefined) return look();
  if (infoOf(path)?.isFile !== true) return whileFree(others, look);
  const lock = orRefusal(() => openLock(path, 0));
  if (isRekeyError(lock)) return lock.code === "busy" ? undefined : whileFree(others, look);
  try {
    return whileFree(others, look);
  } finally {
    lock[Symbol.dispose]();
  }
}

function orRefusal<T>(work: () => T): T | RekeyError {
  try {
    return work();
  } catch (error) {
    return asRefusal(error);
  }
}

/** Whether a process holds a lock at present. */
export function isLockHeld(path: string): boolean {
  return whileFree([path], () => true) === undefined;
}

const UNDER_WAY: Finding = {
  code: "under_way",
  what: "Another rekey command is rotating, restoring or moving the secret",
  why: "Unfinished work is not checked while it runs",
  command: null,
};

const LEFT: Record<Leftover, string> = {
  rotation: "a rotation that did not reach its commit",
  grace: "the value of a grace window that has ended",
  clock: "a grace window that was set while the clock was ahead",
  log: "pages that held a value",
  kek: "a replaced key file",
  keyring: "keyring items that differ from the database",
};

function unfinished(context: DoctorContext, left: Leftover[], staged: boolean): Finding {
  const things = left.map((name) => LEFT[name]);
  if (staged) things.push("the folder of a killed restore");
  const waiting = left.includes("keyring") ? "; keyring items wait until it can be used" : "";
  return {
    code: "unfinished",
    what: `An interrupted command has left ${things.join(", ")}`,
    why:
      `It was killed, or the keyring was unavailable${waiting}; token verification is not affected`,
    command: rekey(context, "doctor --fix"),
    fix: () => finish(context),
  };
}

function logLeft(context: DoctorContext, bytes: number): Finding {
  return {
    code: "log_left",
    what: `The write-ahead log holds ${Math.ceil(bytes / 1024)} KiB`,
    why: "A program that had the database open was killed; nothing is lost",
    command: rekey(context, "doctor --fix"),
    fix: () => finish(context),
  };
}

async function finish({ environment }: DoctorContext): Promise<void> {
  const secrets = new SecretManager(environment, () => Promise.resolve(CLUSTER));
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
  const copy = lastCopy(context.environment);
  const known = firstOf(others.map(({ app, folder }) => `${app} in ${folder}`));
  const isLost = copy !== undefined || keyFilesOfLost(context.environment).length > 0;
  const file = copy === undefined ? "BACKUP" : `${shellWord(copy.path)}${copy.flags}`;
  return {
    code: "not_initialised",
    what: `There is no JWT secret of app ${
      JSON.stringify(name)
    } in ${context.environment.folders.data}`,
    why: whyNone(context, copy) +
      (known === "" ? "" : `. Known here: ${known} (\`rekey apps\` lists them)`),
    command: rekey(context, isLost ? `restore ${file}` : "init"),
  };
}

function whyNone({ environment }: DoctorContext, copy: LastCopy | undefined): string {
  if (copy !== undefined) {
    return `The database is gone: its automatic copies are there; ${copy.lacks}. ` +
      "`rekey destroy` deletes the copies, to start over";
  }
  const [keyFile] = keyFilesOfLost(environment);
  if (keyFile !== undefined) {
    return `The database is gone: a key file of this app, ${keyFile}, is there. If no backup is, ` +
      "`rekey init` makes another secret";
  }
  return "It was never made, or the database is gone: then restore a backup instead. " +
    "`init` adopts a secret that an application left in the keyring, and does not replace it";
}

function damaged(context: DoctorContext): Finding {
  return {
    code: "database_damaged",
    what: `${Installation.path(context.environment)} is damaged`,
    why: "A disk or another program has changed it; a restore keeps the damaged file",
    command: rekey(context, "restore BACKUP --force"),
  };
}

/** The finding for an error of the database. */
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
        command: SYSTEM.advice.show(path),
      };
  }
}
