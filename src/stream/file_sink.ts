import type { AuditRow, Head } from "../audit/events.ts";
import { exportLine } from "../audit/reader.ts";
import { RekeyError } from "../core/errors.ts";
import { explainFiles, fileIdentity, notRegular } from "../files/files.ts";
import { makePrivateFile, refuseUnsafePath } from "../files/private_files.ts";
import { infoOf } from "../system/files.ts";
import type { Sink } from "./sink.ts";

const LINE_FEED = 10;
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
  return Deno.openSync(path, { read: true, append: true });
}

function notAFile(path: string, found: Deno.FileInfo): RekeyError {
  if (!found.isFifo) return notRegular(path, found);
  return new RekeyError("database_unusable", `Cannot use ${path}: it is a pipe`);
}

/** The last row of a file. A line that has no end is cut off, or ended if it is whole. */
function lastRow(file: Deno.FsFile): Head | undefined {
  const tail = lastLines(file);
  const end = tail.lastIndexOf(LINE_FEED) + 1;
  const torn = headOf(tail.subarray(end));
  if (torn !== undefined) {
    writeAll(file, Uint8Array.of(LINE_FEED));
    return torn;
  }
  if (end < tail.length) file.truncateSync(file.statSync().size - (tail.length - end));
  const begin = tail.lastIndexOf(LINE_FEED, end - 2) + 1;
  return headOf(tail.subarray(begin, Math.max(end - 1, begin)));
}

/** The end of a file, with its last whole line at least. */
function lastLines(file: Deno.FsFile): Uint8Array {
  const { size } = file.statSync();
  for (let length = Math.min(size, 4_096);; length = Math.min(size, 4 * length)) {
    const tail = readAt(file, size - length, length);
    const feeds = tail.reduce((sum, byte) => sum + (byte === LINE_FEED ? 1 : 0), 0);
    if (length === size || feeds > 1) return tail;
  }
}

function readAt(file: Deno.FsFile, offset: number, length: number): Uint8Array {
  file.seekSync(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const read = file.readSync(bytes.subarray(at));
    if (read === null) return bytes.subarray(0, at);
    at += read;
  }
  return bytes;
}

function headOf(line: Uint8Array): Head | undefined {
  try {
    const { seq, hash } = JSON.parse(new TextDecoder().decode(line));
    return { seq, hash };
  } catch {
    return undefined;
  }
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
