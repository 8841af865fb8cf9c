import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
} from "node:fs";
import process from "node:process";
import { RekeyError } from "../core/errors.ts";
import { explainFiles, refuseOthers } from "./file_errors.ts";
import { infoOf } from "./file_info.ts";
import { refuseUnsafeWay } from "./safe_way.ts";

const { O_NOFOLLOW = 0, O_RDONLY } = constants;

/**
 * Makes a folder of our own that only its owner can enter (0700), with its parents; one that is there
 * already gets that mode.
 *
 * @throws {RekeyError} `database_unusable` when it cannot be made, belongs to somebody else, or somebody else
 * could exchange it.
 */
export function makePrivateFolder(path: string): void {
  explainFiles(path, () => {
    refuseUnsafeWay(path);
    if (!isPrivateFolder(path)) withFolder(path, (fd) => mineOnly(path, fd, 0o700));
  });
}

function isPrivateFolder(path: string): boolean {
  const found = infoOf(path);
  return found?.isDirectory === true && found.uid === process.geteuid?.() &&
    (found.mode! & 0o777) === 0o700;
}

/**
 * Makes a folder that the operator named, or takes it as it is: it may have other uses, so its mode is
 * the operator's. Others must not be able to write to it, or they could exchange files in it.
 *
 * @throws {RekeyError} `database_unusable` when it cannot be made, belongs to somebody else or is
 * writable by others.
 */
export function makeNamedFolder(path: string): void {
  explainFiles(path, () => withFolder(path, (fd) => refuseWritableByOthers(path, fd)));
}

/** Uses a folder by its descriptor; makes it, with its parents, unless it is there. */
export function withFolder(path: string, use: (fd: number) => void): void {
  // Before anything is made: root must not make folders where a user's link leads.
  refuseUnsafeWay(path);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const fd = openSync(path, O_RDONLY | O_NOFOLLOW);
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}

function refuseWritableByOthers(path: string, fd: number): void {
  const { uid, mode } = fstatSync(fd);
  refuseOthers(path, uid);
  if (process.geteuid === undefined || (mode & 0o022) === 0) return;
  throw new RekeyError("database_unusable", `Cannot use ${path}: other users can write to it`, {
    hint: "Name a folder of your own, or take that right away with `chmod go-w`",
  });
}

/** Deletes a folder with everything in it, if it is there. */
export function removeFolder(path: string): void {
  explainFiles(path, () => rmSync(path, { force: true, recursive: true }));
}

/** Names in a folder that is there. */
export function namesIn(path: string): string[] {
  return explainFiles(path, () => readdirSync(path));
}

/** Refuses what belongs to somebody else, and sets a mode. */
function mineOnly(path: string, fd: number, mode: number): void {
  const { uid, mode: now } = fstatSync(fd);
  refuseOthers(path, uid);
  if (process.geteuid !== undefined && (now & 0o777) !== mode) fchmodSync(fd, mode);
}
