import { readdirSync } from "node:fs";
import { RekeyError } from "../core/errors.ts";
import { infoOf } from "../system/file_info.ts";
import { HERE } from "../system/here.ts";
import type { HeldFolder } from "../system/privacy.ts";
import { explainFiles, refuseOthers } from "./file_errors.ts";
import { refuseUnsafePath } from "./path_ownership.ts";

/**
 * Makes a folder of our own that only its owner can enter, with its parents; one that is there already is made so.
 *
 * @throws {RekeyError} `database_unusable` when it cannot be made, belongs to somebody else, or somebody else
 * could exchange it.
 */
export function makePrivateFolder(path: string): void {
  explainFiles(path, () => {
    refuseUnsafePath(path);
    if (isPrivateFolder(path)) return;
    withFolder(path, (folder) => {
      const access = folder.access();
      refuseOthers(path, access);
      if (!access.isPrivate) folder.makePrivate();
    });
  });
}

function isPrivateFolder(path: string): boolean {
  const found = infoOf(path);
  if (found?.isDirectory !== true) return false;
  const { isMine, isPrivate } = HERE.privacy.access(path, found);
  return isMine && isPrivate;
}

/**
 * Makes a folder that the operator named, or takes it as it is: it may have other uses, so who may use it is
 * the operator's to say. Others must not be able to write to it, or they could exchange files in it.
 *
 * @throws {RekeyError} `database_unusable` when it cannot be made, belongs to somebody else or is
 * writable by others.
 */
export function makeNamedFolder(path: string): void {
  explainFiles(path, () => withFolder(path, (folder) => refuseWritableByOthers(path, folder)));
}

/** Sees to it that the names in a folder are on the disk. */
export function syncFolder(path: string): void {
  withFolder(path, (folder) => folder.sync());
}

/** Uses a folder while it is held; makes it, with its parents, unless it is there. */
function withFolder(path: string, use: (folder: HeldFolder) => void): void {
  // Before anything is made: root must not make folders where a user's link leads.
  refuseUnsafePath(path);
  HERE.privacy.makeFolder(path);
  using folder = HERE.privacy.holdFolder(path);
  use(folder);
}

function refuseWritableByOthers(path: string, folder: HeldFolder): void {
  const access = folder.access();
  refuseOthers(path, access);
  if (!access.othersWrite && !access.handsOn) return;
  const why = access.othersWrite ? "can write to it" : "could read what is made in it";
  throw new RekeyError("database_unusable", `Cannot use ${path}: other users ${why}`, {
    hint: "Name a folder of your own, or take that right away with " +
      `\`${HERE.privacy.fix(path, "writing")}\``,
  });
}

/** Deletes a folder with everything in it, if it is there. */
export function removeFolder(path: string): void {
  explainFiles(path, () => HERE.moves.removeFolder(path));
}

/** Names in a folder that is there. */
export function namesIn(path: string): string[] {
  return explainFiles(path, () => readdirSync(path));
}
