import type { AuditRow } from "../audit/events.ts";
import { exportLine } from "../audit/log_parts.ts";
import { RekeyError } from "../core/errors.ts";
import { explainFiles, fileIdentity, notRegular } from "../files/files.ts";
import { makePrivateFile, refuseUnsafePath } from "../files/private_files.ts";
import { type FileFacts, infoOf } from "../system/files.ts";
import { SYSTEM } from "../system/system.ts";
import { lastRow, NOT_OF_ROWS } from "./last_row.ts";
import type { Sink } from "./sink.ts";

const ENCODER = new TextEncoder();

/**
 * A file of JSON lines, as `audit export` prints them. It is opened each time, so that another program may move it, and
 * its rows count as sent when they are on the disk.
 */
export class FileSink implements Sink {
  constructor(private readonly path: string) {}

  async send(rows: readonly AuditRow[], until: number, had: (seq: number) => void): Promise<void> {
    // It was moved meanwhile, and whoever has moved it may have read it already: these rows go to the new one too.
    while (!await this.#write(rows)) if (performance.now() >= until) return;
    had(rows.at(-1)!.seq);
  }

  /** @returns whether the file that has them is still the one with the name. */
  async #write(rows: readonly AuditRow[]): Promise<boolean> {
    const { path } = this;
    const file = explainFiles(path, () => open(path));
    try {
      const last = explainFiles(path, () => lastRow(file));
      if (last === NOT_OF_ROWS) throw notOfRows(path);
      // The process before may have been killed before it noted what it had written.
      const known = rows.findIndex(({ seq, hash }) => seq === last?.seq && hash === last.hash);
      const missing = rows.slice(known + 1);
      if (missing.length > 0) explainFiles(path, () => append(file, missing));
      await file.syncData();
      const { dev, ino } = file.statSync();
      return fileIdentity(path) === `${dev}:${ino}`;
    } finally {
      file.close();
    }
  }

  identity(): string | undefined {
    return fileIdentity(this.path);
  }

  [Symbol.dispose](): void {}
}

function open(path: string): Deno.FsFile {
  // Root must not write where a link of another user leads.
  refuseUnsafePath(path);
  const found = infoOf(path);
  if (found === undefined) makePrivateFile(path);
  // Opening a pipe would wait for its reader.
  else if (!found.isFile) throw notAFile(path, found);
  else refuseOthers(path, found);
  return Deno.openSync(path, { read: true, append: true });
}

function notAFile(path: string, found: Deno.FileInfo): RekeyError {
  if (!found.isFifo) return notRegular(path, found);
  return new RekeyError("database_unusable", `Cannot use ${path}: it is a pipe`);
}

// In a folder such as /tmp another user may have made it, and could then read and change the rows.
function refuseOthers(path: string, found: FileFacts): void {
  const { isMine, isSystemOwned } = SYSTEM.permissions.access(path, found);
  if (isMine || isSystemOwned) return;
  throw new RekeyError("database_unusable", `Cannot use ${path}: it belongs to another user`, {
    hint: "Name another one, or move it out of the way",
  });
}

function notOfRows(path: string): RekeyError {
  return new RekeyError(
    "database_unusable",
    `Cannot use ${path}: it has something else in it than rows of an audit log`,
    { hint: "Name another one, or move it out of the way" },
  );
}

/** Adds all lines or none. */
function append(file: Deno.FsFile, rows: readonly AuditRow[]): void {
  const { size } = file.statSync();
  try {
    writeAll(file, ENCODER.encode(rows.map((row) => `${exportLine(row)}\n`).join("")));
  } catch (error) {
    // Where the disk is full.
    file.truncateSync(size);
    throw error;
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(file.writeSync(rest));
}
