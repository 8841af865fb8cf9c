import { statfsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Folders } from "../../core/app.ts";
import { isRekeyError } from "../../core/errors.ts";
import { SYSTEM } from "../../system/system.ts";
import { Installation } from "../../store/installation.ts";
import { lockPath } from "../../store/sqlite/lock.ts";
import { placePath } from "../../store/sqlite/turn.ts";
import { denyWriting, makePrivate, unsafePath } from "../../files/private_files.ts";
import type { DoctorContext, Finding } from "../findings.ts";
import { type Access, infoOf } from "../../system/files.ts";
import { codeOf, namesIn } from "../../files/files.ts";

const [FULL_BYTES, LOW_BYTES] = [2 ** 20, 64 * 2 ** 20];

/** An existing file or folder of rekey. */
interface OwnFile {
  readonly path: string;
  /** For a folder, symbolic links are followed. */
  readonly info: Deno.FileInfo;
  /** Whether the operator chose the path; then others may be allowed to read it. */
  readonly isNamed: boolean;
}

/**
 * Checks files and folders: unsafe parent directories, owners, modes, disk space. No file is opened.
 *
 * @returns `undefined` when a folder or file cannot be looked at, such as in a folder that denies access: the check that
 * needs it reports that.
 */
export function filesCheck({ environment }: DoctorContext): Finding[] | undefined {
  const { folders } = environment;
  try {
    return [
      ...parentFindings(folders.data),
      ...ownFiles(environment).flatMap((own) => accessFindings(own, folders)),
      ...diskFindings(folders),
    ];
  } catch (error) {
    if (isRekeyError(error) || codeOf(error) === undefined) throw error;
    return undefined;
  }
}

function ownFiles(environment: DoctorContext["environment"]): OwnFile[] {
  const { data, dataNamed } = environment.folders;
  const config = configFolder(environment);
  const database = Installation.path(environment);
  const lock = lockPath(database);
  const beside = [`${database}-wal`, `${database}-shm`, lock, placePath(lock)];
  const files = [database, ...beside, ...copiesBeside(database)];
  return [
    { path: data, info: folderInfo(data), isNamed: dataNamed },
    // A link, folder or pipe in place of a file is reported by the database check.
    ...files.map((path) => ({ path, info: infoOf(path), isNamed: false }))
      .filter(({ info }) => info?.isFile === true),
    ...config === undefined ? [] : [{ path: config, info: folderInfo(config), isNamed: false }],
  ].filter((own): own is OwnFile => own.info !== undefined);
}

/** Copies that rekey made beside the database: before rotations and migrations, and by `restore` of what it replaced. */
function copiesBeside(database: string): string[] {
  const [folder, name] = [dirname(database), basename(database)];
  const copy = /^\.(v\d+\.backup|schema\d+\.backup|(former|damaged)(-\d+)?(-wal|-shm|-journal)?)$/;
  const isCopy = (one: string) => one.startsWith(name) && copy.test(one.slice(name.length));
  return namesUnlessDenied(folder).filter(isCopy).sort().map((one) => join(folder, one));
}

// A folder that denies access to its own user is a finding of its own.
function namesUnlessDenied(folder: string): string[] {
  try {
    return folderInfo(folder) === undefined ? [] : namesIn(folder);
  } catch (error) {
    if (isRekeyError(error)) return [];
    throw error;
  }
}

/** The folder of a key file that rekey generated, if there is one. */
function configFolder(
  { app, folders: { config } }: DoctorContext["environment"],
): string | undefined {
  if (config === undefined || folderInfo(config)?.isDirectory !== true) return undefined;
  const isKey = (name: string) => name.startsWith(`${app.name}-`) && name.endsWith(".kek");
  try {
    return namesIn(config).some(isKey) ? config : undefined;
  } catch (error) {
    // The folder denies access to its own user: it must be checked.
    if (isRekeyError(error)) return config;
    throw error;
  }
}

// Folders may be symbolic links, such as for a home on another disk or with dotfile managers.
function folderInfo(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    const { NotFound, NotADirectory } = Deno.errors;
    if (error instanceof NotFound || error instanceof NotADirectory) return undefined;
    throw error;
  }
}

function parentFindings(path: string): Finding[] {
  const unsafe = SYSTEM.permissions.unsafeFolderOf(path);
  if (unsafe === undefined) return [];
  return [{
    code: "way_unsafe",
    what: unsafePath(path, unsafe).message,
    why: "Users who can replace a parent directory can substitute rekey's files",
    command: unsafe.command,
  }];
}

function accessFindings(own: OwnFile, folders: Folders): Finding[] {
  const { path, info, isNamed } = own;
  const access = SYSTEM.permissions.access(path, info);
  if (path === folders.config && (isTrusted(access) || SYSTEM.files.isReadOnly(path))) return [];
  if (!access.isMine) return [ofAnother(own, access, folders)];
  const isOpen = isNamed ? access.othersWrite || access.othersInherit : access.isOpen;
  if (!isOpen && (isNamed || !access.deniesOwner)) return [];
  return [{
    code: "file_mode",
    what: `${path} has ${access.shown}`,
    why: isOpen ? "Other users can read or change it" : "Its owner cannot read or change it",
    command: SYSTEM.permissions.fix(
      path,
      isNamed ? "writing" : info.isDirectory ? "folder" : "file",
    ),
    fix: () => isNamed ? denyWriting(path) : makePrivate(path),
  }];
}

// A read-only folder may belong to the system's user.
function isTrusted({ isMine, isSystemOwned, othersWrite }: Access): boolean {
  return isSystemOwned && !isMine && !othersWrite;
}

function ofAnother({ path }: OwnFile, { mayFix, owner }: Access, { data }: Folders): Finding {
  return {
    code: "file_owner",
    what: `${path} belongs to ${owner}, not to the user who runs this command`,
    why: "rekey uses only files of its own user; a command run with sudo may have created it",
    // If the whole folder belongs to that user, root must not take it over.
    command: mayFix && path === data
      ? `# run rekey as the owner of ${path} (${owner})`
      : SYSTEM.permissions.fixOwner(path),
  };
}

function diskFindings({ data }: DoctorContext["environment"]["folders"]): Finding[] {
  let folder = data;
  while (folderInfo(folder) === undefined && dirname(folder) !== folder) folder = dirname(folder);
  const { bavail, bsize, files, ffree } = statfsSync(folder);
  const free = bavail * bsize;
  const noNames = files > 0 && ffree === 0;
  if (free >= LOW_BYTES && !noNames) return [];
  const full = free < FULL_BYTES || noNames;
  return [{
    code: full ? "disk_full" : "disk_low",
    what: `The disk of ${folder} has ${
      noNames ? "no inodes" : `${Math.floor(free / 1024)} KiB`
    } left`,
    why: "A rotation needs a few hundred KiB; without them it is refused, and nothing is lost",
    command: SYSTEM.advice.largest(folder),
  }];
}
