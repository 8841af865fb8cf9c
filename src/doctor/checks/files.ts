import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import type { Folders } from "../../core/app.ts";
import { isRekeyError } from "../../core/errors.ts";
import { type Access, infoOf } from "../../system/system.ts";
import { HERE } from "../../system/here.ts";
import { Installation } from "../../store/installation.ts";
import { lockPath } from "../../store/sqlite/lock.ts";
import { makePrivate, namesIn, takeWriting } from "../../files/private_files.ts";
import { unsafePath } from "../../files/path_ownership.ts";
import type { Finding } from "../finding.ts";
import type { DoctorContext } from "../context.ts";

const [FULL_BYTES, LOW_BYTES] = [2 ** 20, 64 * 2 ** 20];

/** A file or folder of rekey's own that is there. */
interface Own {
  readonly path: string;
  /** Of a folder: what a link in its place leads to. */
  readonly info: Deno.FileInfo;
  /** Whether the operator named it, and says who may read it. */
  readonly isNamed: boolean;
}

/**
 * Files and folders: who can exchange them, owners, modes, room on the disk. Nothing is opened.
 *
 * @returns `undefined` when a folder on the way lets nobody look; that the database cannot be used is found after it.
 */
export function filesCheck(context: DoctorContext): Finding[] | undefined {
  try {
    return allFindings(context);
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  }
}

function allFindings({ environment }: DoctorContext): Finding[] {
  const access = ownFiles(environment).flatMap((own) => accessFindings(own, environment.folders));
  return [
    ...wayFindings(environment.folders.data),
    ...access,
    ...roomFindings(environment.folders),
  ];
}

function ownFiles(environment: DoctorContext["environment"]): Own[] {
  const { data, dataNamed } = environment.folders;
  const config = configFolder(environment);
  const database = Installation.path(environment);
  const files = [database, `${database}-wal`, `${database}-shm`, lockPath(database)];
  return [
    { path: data, info: folderInfo(data), isNamed: dataNamed },
    // A link, folder or pipe in a file's place is refused, and that the database cannot be used is found after it.
    ...files.map((path) => ({ path, info: infoOf(path), isNamed: false }))
      .filter(({ info }) => info?.isFile === true),
    ...config === undefined ? [] : [{ path: config, info: folderInfo(config), isNamed: false }],
  ].filter((own): own is Own => own.info !== undefined);
}

/** The folder of the key file that rekey made; without one it is none of rekey's. */
function configFolder(
  { app, folders: { config } }: DoctorContext["environment"],
): string | undefined {
  if (config === undefined || folderInfo(config)?.isDirectory !== true) return undefined;
  const isKey = (name: string) => name.startsWith(`${app.name}-`) && name.endsWith(".kek");
  try {
    return namesIn(config).some(isKey) ? config : undefined;
  } catch (error) {
    // Shut to its own user: that is to be found.
    if (isRekeyError(error)) return config;
    throw error;
  }
}

// A home on another disk and managers of dotfiles put a link in a folder's place.
function folderInfo(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    const { NotFound, NotADirectory } = Deno.errors;
    if (error instanceof NotFound || error instanceof NotADirectory) return undefined;
    throw error;
  }
}

function wayFindings(path: string): Finding[] {
  const unsafe = HERE.privacy.unsafeFolderOf(path);
  if (unsafe === undefined) return [];
  return [{
    code: "way_unsafe",
    what: unsafePath(path, unsafe).message,
    why: "Whoever can exchange a folder on the way can put other files in its place",
    command: unsafe.command,
  }];
}

/** What is to be done about a file of another user's. */
function ownership({ path }: Own, { mayFix, owner }: Access, { data }: Folders): string {
  // The whole folder is theirs: root must not take it away from them.
  if (mayFix && path === data) return `# run rekey as the owner of ${path} (${owner})`;
  return HERE.privacy.fixOwner(path);
}

function accessFindings(own: Own, folders: Folders): Finding[] {
  const { path, info, isNamed } = own;
  const access = HERE.privacy.access(path, info);
  if (path === folders.config && (isTrusted(access) || HERE.privacy.isReadOnly(path))) return [];
  if (!access.isMine) return [ofAnother(own, access, folders)];
  const isOpen = isNamed ? access.othersWrite || access.handsOn : access.isOpen;
  if (!isOpen && (isNamed || !access.isShut)) return [];
  return [{
    code: "file_mode",
    what: `${path} has ${access.shown}`,
    why: isOpen ? "Other users may read or change it" : "Its own user may not read or change it",
    command: HERE.privacy.fix(path, isNamed ? "writing" : info.isDirectory ? "folder" : "file"),
    mend: () => isNamed ? takeWriting(path) : makePrivate(path),
  }];
}

// The system's own user may have made a folder that is read and not written.
function isTrusted({ isMine, isSystems, othersWrite }: Access): boolean {
  return isSystems && !isMine && !othersWrite;
}

function ofAnother(own: Own, access: Access, folders: Folders): Finding {
  return {
    code: "file_owner",
    what: `${own.path} belongs to ${access.owner}, not to the user who runs this`,
    why: "rekey uses files of its own user only; a command run by sudo may have made it",
    command: ownership(own, access, folders),
  };
}

function roomFindings({ data }: DoctorContext["environment"]["folders"]): Finding[] {
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
    command: HERE.advice.largest(folder),
  }];
}
