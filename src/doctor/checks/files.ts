import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import type { Folders } from "../../core/app.ts";
import { isRekeyError } from "../../core/errors.ts";
import { infoOf } from "../../files/file_info.ts";
import { Installation } from "../../store/installation.ts";
import { lockPath } from "../../store/lock.ts";
import { setMode } from "../../files/private_files.ts";
import { isReadOnly, mountPoint } from "../../files/mounts.ts";
import { namesIn } from "../../files/private_folders.ts";
import { unsafeOnWay, unsafeWay } from "../../files/safe_way.ts";
import { type Finding, shellWord } from "../finding.ts";
import type { Patient } from "../patient.ts";

const [FULL_BYTES, LOW_BYTES] = [2 ** 20, 64 * 2 ** 20];

/** A file or folder of rekey's own that is there. */
interface Own {
  readonly path: string;
  /** Of a folder: what a link in its place leads to. */
  readonly info: Deno.FileInfo;
  /** The mode that it is to have; `undefined` when the operator chose it. */
  readonly mode: number | undefined;
}

/**
 * Files and folders: who can exchange them, owners, modes, room on the disk. Nothing is opened.
 *
 * @returns `undefined` when a folder on the way lets nobody look; that the database cannot be used is found after it.
 */
export function filesCheck(patient: Patient): Finding[] | undefined {
  try {
    return allFindings(patient);
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  }
}

function allFindings({ environment }: Patient): Finding[] {
  // Windows: access is inherited from the profile.
  const access = process.geteuid === undefined
    ? []
    : ownFiles(environment).flatMap((own) => accessFindings(own, environment.folders));
  return [
    ...wayFindings(environment.folders.data),
    ...access,
    ...roomFindings(environment.folders),
  ];
}

function ownFiles(environment: Patient["environment"]): Own[] {
  const { data, dataNamed } = environment.folders;
  const config = configFolder(environment);
  const database = Installation.path(environment);
  const files = [database, `${database}-wal`, `${database}-shm`, lockPath(database)];
  return [
    { path: data, info: folderInfo(data), mode: dataNamed ? undefined : 0o700 },
    // A link, folder or pipe in a file's place is refused, and that the database cannot be used is found after it.
    ...files.map((path) => ({ path, info: infoOf(path), mode: 0o600 }))
      .filter(({ info }) => info?.isFile === true),
    ...config === undefined ? [] : [{ path: config, info: folderInfo(config), mode: 0o700 }],
  ].filter((own): own is Own => own.info !== undefined);
}

/** The folder of the key file that rekey made; without one it is none of rekey's. */
function configFolder({ app, folders: { config } }: Patient["environment"]): string | undefined {
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
  const unsafe = unsafeOnWay(path);
  if (unsafe === undefined) return [];
  const { folder, uid, isOpen } = unsafe;
  const mine = uid === process.geteuid!() || process.geteuid!() === 0;
  return [{
    code: "way_unsafe",
    what: unsafeWay(path, unsafe).message,
    why: "Whoever can exchange a folder on the way can put other files in its place",
    command: isOpen && mine ? `chmod o-w ${shellWord(folder)}` : `namei -l ${shellWord(path)}`,
  }];
}

/** What is to be done about a file of another user's. */
function ownership({ path, info: { uid } }: Own, { data }: Folders): string {
  const me = process.geteuid!();
  // The whole folder is theirs: root must not take it away from them.
  if (me === 0 && path === data) return `# run rekey as the owner of ${path} (uid ${uid})`;
  return `${me === 0 ? "" : "sudo "}chown ${me} ${shellWord(path)}`;
}

// The system's own user may have made a folder that is read and not written.
function isTrusted({ info }: Own): boolean {
  return info.isDirectory && info.uid === 0 && process.geteuid!() !== 0 &&
    (info.mode! & 0o022) === 0;
}

function accessFindings(own: Own, folders: Folders): Finding[] {
  const { path, mode: wanted, info: { uid, mode } } = own;
  if (path === folders.config && (isTrusted(own) || isReadOnly(path))) return [];
  const owner = uid !== process.geteuid!();
  const others = mode! & 0o777;
  const isOpen = (others & (wanted === undefined ? 0o022 : 0o077)) !== 0;
  const isShut = wanted !== undefined && (others & wanted) !== wanted;
  if (owner) {
    return [{
      code: "file_owner",
      what: `${path} belongs to uid ${uid}, not to the user who runs this`,
      why: "rekey uses files of its own user only; a command run by sudo may have made it",
      command: ownership(own, folders),
    }];
  }
  if (!isOpen && !isShut) return [];
  return [{
    code: "file_mode",
    what: `${path} has mode ${others.toString(8).padStart(4, "0")}`,
    why: isOpen ? "Other users may read or change it" : "Its own user may not read or change it",
    command: `chmod ${wanted?.toString(8) ?? "go-w"} ${shellWord(path)}`,
    mend: () => setMode(path, wanted ?? others & ~0o022),
  }];
}

function roomFindings({ data }: Patient["environment"]["folders"]): Finding[] {
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
    command: `du -xah ${shellWord(mountPoint(folder))} | sort -h | tail`,
  }];
}
