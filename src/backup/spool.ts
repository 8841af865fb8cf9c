import { randomUUID } from "node:crypto";
import { dirname, join } from "node:path";
import { explainFiles } from "../files/file_errors.ts";
import { isStream, streamed } from "../files/input_files.ts";
import { makePrivateFile } from "../files/private_files.ts";
import { makePrivateFolder, removeFolder } from "../files/private_folders.ts";
import { SPOOL } from "../secret/unfinished.ts";
import { refuseOther } from "../store/backup_file.ts";
import { type Environment, Installation } from "../store/installation.ts";

/**
 * Writes a backup to a file that no one else sees, and hands it over piece by piece once it is whole. It is deleted before
 * that: whatever ends this process, nothing of it stays.
 */
export async function streamBackup<T>(
  environment: Environment,
  write: (path: string) => Promise<T>,
  take: (piece: Uint8Array) => void,
): Promise<T> {
  let file: Deno.FsFile | undefined;
  try {
    const result = await withSpool(environment, async (path) => {
      const result = await write(path);
      file = explainFiles(path, () => Deno.openSync(path));
      return result;
    });
    const buffer = new Uint8Array(65_536);
    for (let length; (length = file!.readSync(buffer)) !== null;) {
      take(buffer.subarray(0, length));
    }
    return result;
  } finally {
    file?.close();
  }
}

/** Works with a file in a private folder of its own, beside the database, and deletes it afterwards. */
async function withSpool<T>(
  environment: Environment,
  work: (path: string) => Promise<T>,
): Promise<T> {
  Installation.prepareFolder(environment);
  const folder = join(environment.folders.data, `${SPOOL}${randomUUID()}`);
  makePrivateFolder(folder);
  try {
    return await work(join(folder, "backup.db"));
  } finally {
    removeFolder(folder);
  }
}

/**
 * Works with the file that a path names, or with a copy of what comes out of it: stdin (`-`), a pipe or an open descriptor.
 *
 * @throws {RekeyError} `usage` when nothing comes out of it, `database_unusable` when the disk is full.
 */
export async function wholeBackup<T>(
  environment: Environment,
  path: string,
  work: (path: string) => Promise<T>,
): Promise<T> {
  if (!isStream(path)) return await work(path);
  return await withSpool(environment, async (copy) => {
    makePrivateFile(copy);
    using file = explainFiles(copy, () => Deno.openSync(copy, { write: true }));
    let begun = false;
    streamed(path, (piece) => {
      // Before the disk is full of it.
      if (!begun) refuseOther(piece);
      begun = true;
      explainFiles(copy, () => {
        for (let rest = piece; rest.length > 0;) rest = rest.subarray(file.writeSync(rest));
        // Not one that was killed, whatever its age.
        Deno.utimeSync(dirname(copy), new Date(), new Date());
      });
    });
    return await work(copy);
  });
}
