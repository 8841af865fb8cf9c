import type { Head } from "../audit/events.ts";

/** What {@linkcode lastRow} reports of a file that is not a sink's. */
export const NOT_OF_ROWS = "not of rows";

const LINE_FEED = 10;

// How each line begins.
const ROW_START = '{"seq":';

// No row is as long: a reason has 1,000 characters. A file of another kind may be any size.
const LONGEST_LINE = 2 ** 20;

/**
 * The last row of a file of rows; `undefined` of an empty one. A line that has no end, as a kill leaves it, is cut off,
 * or ended if it is whole. A file of anything else is left as it is: it may be someone's only copy.
 *
 * @param file open for reading and appending.
 */
export function lastRow(file: Deno.FsFile): Head | undefined | typeof NOT_OF_ROWS {
  const tail = lastLines(file);
  const end = tail.lastIndexOf(LINE_FEED) + 1;
  const before = end === 0 ? undefined : headOf(lastLineOf(tail.subarray(0, end - 1)));
  const torn = tail.subarray(end);
  const isOfRows = end === 0 ? isStartOfRow(torn) : before !== undefined;
  if (!isOfRows) return NOT_OF_ROWS;
  const whole = headOf(torn);
  if (whole !== undefined) file.writeSync(Uint8Array.of(LINE_FEED));
  else if (torn.length > 0) file.truncateSync(file.statSync().size - torn.length);
  return whole ?? before;
}

/** The end of a file: its last whole line and what comes after it, or as much as there is of that. */
function lastLines(file: Deno.FsFile): Uint8Array {
  const { size } = file.statSync();
  const most = Math.min(size, 2 * LONGEST_LINE);
  for (let length = Math.min(most, 4_096);; length = Math.min(most, 4 * length)) {
    const tail = readAt(file, size - length, length);
    const feeds = tail.reduce((sum, byte) => sum + (byte === LINE_FEED ? 1 : 0), 0);
    if (length === most || feeds > 1) return tail;
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

function lastLineOf(lines: Uint8Array): Uint8Array {
  return lines.subarray(lines.lastIndexOf(LINE_FEED) + 1);
}

function isStartOfRow(bytes: Uint8Array): boolean {
  const text = new TextDecoder().decode(bytes.subarray(0, ROW_START.length));
  return ROW_START.startsWith(text);
}

function headOf(line: Uint8Array): Head | undefined {
  try {
    const { seq, hash } = JSON.parse(new TextDecoder().decode(line));
    return Number.isSafeInteger(seq) && typeof hash === "string" ? { seq, hash } : undefined;
  } catch {
    return undefined;
  }
}
