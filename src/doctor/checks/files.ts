import { statfsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { isRekeyError } from "../../core/errors.ts";
import { infoOf } from "../../files/file_info.ts";
import { Installation } from "../../store/installation.ts";
import { lockPath } from "../../store/lock.ts";
import { setMode } from "../../files/private_files.ts";
import { refuseUnsafeWay } from "../../files/safe_way.ts";
import { type Finding, shellWord } from "../finding.ts";
import type { Patient } from "../patient.ts";

const [FULL_BYTES, LOW_BYTES] = [2 ** 20, 64 * 2 ** 20];

/** A file or folder of rekey's own that is there. */
interface Own {
  readonly path: string;
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
  const own = ownFiles(environment);
  // Windows: access is inherited from the profile.
  const access = process.geteuid === undefined ? [] : own.flatMap(accessFindings);
  return [
    ...wayFindings(environment.folders.data),
    ...access,
    ...roomFindings(environment.folders),
  ];
}

function ownFiles(environment: Patient["environment"]): Own[] {
  const { data, dataNamed, config } = environment.folders;
  const database = Installation.path(environment);
  const files = [database, `${database}-wal`, `${database}-shm`, lockPath(database)];
  return [
    { path: data, mode: dataNamed ? undefined : 0o700 },
    ...files.map((path) => ({ path, mode: 0o600 })),
    ...config === undefined ? [] : [{ path: config, mode: 0o700 }],
  ].filter(({ path }) => infoOf(path) !== undefined);
}

function wayFindings(path: string): Finding[] {
  try {
    refuseUnsafeWay(path);
    return [];
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    return [{
      code: "way_unsafe",
      what: error.message,
      why: "Whoever can exchange a folder on the way can put other files in its place",
      command: `namei -l ${shellWord(path)}`,
    }];
  }
}

function accessFindings({ path, mode: wanted }: Own): Finding[] {
  const { uid, mode } = infoOf(path)!;
  const owner = uid !== process.geteuid!();
  const others = mode! & 0o777;
  const isOpen = (others & (wanted === undefined ? 0o022 : 0o077)) !== 0;
  const isShut = wanted !== undefined && (others & wanted) !== wanted;
  if (owner) {
    return [{
      code: "file_owner",
      what: `${path} belongs to uid ${uid}, not to the user who runs this`,
      why: "rekey uses files of its own user only; a command run by sudo may have made it",
      command: `sudo chown ${process.geteuid!()} ${shellWord(path)}`,
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
  while (infoOf(folder) === undefined && dirname(folder) !== folder) folder = dirname(folder);
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
    command: `du -xah ${
      shellWord(join("/", basename(folder) === "" ? "" : folder))
    } | sort -h | tail`,
  }];
}
