import { createHash, randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { isRekeyError, RekeyError, usageError } from "../../core/errors.ts";
import { explainFiles } from "../../files/files.ts";
import { makePrivate, makePrivateFolder, refuseUnsafePath } from "../../files/private_files.ts";
import { writeTarget } from "../../deliver/write_target.ts";
import { infoOf } from "../../system/files.ts";
import { Processes, type ProcessId } from "../../system/processes.ts";
import { SYSTEM } from "../../system/system.ts";

const NAME = /^rekey-exec\.([\w-]{8})\.(\d+)\.(\d+)$/;

/**
 * Makes the folder of a file of keys: private, of this process alone, in memory unless a folder is named. What an `exec`
 * that was killed has left there is deleted.
 *
 * @param named the folder that the operator has named for it.
 * @param runtimeDir the variable XDG_RUNTIME_DIR.
 * @throws {RekeyError} `usage` when there is no folder in memory, `database_unusable` when the named one cannot be used.
 */
export function makeKeysFolder(named: string | undefined, runtimeDir: string | undefined): string {
  if (named !== undefined) {
    refuseMissing(named);
    return makeIn(named);
  }
  const { memory } = SYSTEM;
  for (const place of [runtimeDir, ...memory?.places ?? []]) {
    if (place === undefined || !isAbsolute(place) || !memory?.holds(place)) continue;
    try {
      return makeIn(place);
    } catch (error) {
      // Another user's, or read-only: the next one.
      if (!isRekeyError(error)) throw error;
    }
  }
  const places = ["XDG_RUNTIME_DIR", ...memory?.places ?? []].join(", ");
  throw usageError(
    memory === undefined
      ? "Cannot keep the keys in memory: this system has no folder for that"
      : `Cannot keep the keys in memory: no folder that this user can write to is there (${places})`,
    "Name a private folder with --keys-dir; on a disk the keys can outlive the program",
  );
}

function refuseMissing(named: string): void {
  if (explainFiles(named, () => infoOf(named)) !== undefined) return;
  throw new RekeyError("database_unusable", `Cannot use ${named}: it is not there`, {
    hint: "Make that folder first, for this user alone",
  });
}

/**
 * Replaces the file of keys as a whole. Only this user can read it.
 *
 * @throws {RekeyError} `database_unusable` when it cannot be written; the old one is then as it was.
 */
export async function writeKeys(path: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const { memory } = SYSTEM;
  if (!memory?.holds(dirname(path))) {
    return await writeTarget(path, bytes, { user: undefined, group: undefined, mode: 0o600 });
  }
  const partial = `${path}.${randomBytes(9).toString("base64url")}`;
  try {
    memory.writeNew(partial, bytes);
    SYSTEM.files.rename(partial, path);
  } catch (cause) {
    SYSTEM.files.remove(partial);
    throw new RekeyError("database_unusable", `Cannot write ${path}`, {
      hint: "Is its folder full? `df` shows it",
      cause,
    });
  }
}

/** Deletes a folder of keys with what is in it. */
export function removeKeysFolder(folder: string): void {
  try {
    Deno.removeSync(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function makeIn(place: string): string {
  return explainFiles(place, () => {
    const own = new Processes(SYSTEM.processes.identities).identify(Deno.pid);
    const folder = join(place, own === undefined ? unknownName() : nameOf(own));
    refuseUnsafePath(folder);
    removeLeft(place);
    mkdirSync(folder, { mode: 0o700 });
    makePrivateFolder(folder);
    makePrivate(folder);
    return folder;
  });
}

const unknownName = () => `rekey-exec.${randomBytes(12).toString("base64url")}`;

function nameOf({ place, pid, started }: ProcessId): string {
  return `rekey-exec.${placeId(place)}.${pid}.${started}`;
}

// Numbers of processes are compared in the same boot and container only.
function placeId(place: string): string {
  return createHash("sha256").update(place).digest("base64url").slice(0, 8);
}

function removeLeft(place: string): void {
  const processes = new Processes(SYSTEM.processes.identities);
  const here = SYSTEM.processes.identities.place();
  for (const { name } of Deno.readDirSync(place)) {
    const [, id, pid, started] = NAME.exec(name) ?? [];
    if (here === undefined || id !== placeId(here)) continue;
    const process = { place: here, pid: Number(pid), started: Number(started) };
    const path = join(place, name);
    const found = infoOf(path);
    if (!found?.isDirectory || !SYSTEM.permissions.access(path, found).isMine) continue;
    if (processes.stateOf(process) === "gone") removeKeysFolder(path);
  }
}
