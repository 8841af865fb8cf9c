import { closeSync, constants, openSync, renameSync, rmSync } from "node:fs";
import type { Moves } from "../system.ts";

// A virus scanner or an indexer looks at a new file for some milliseconds; a command of rekey's is over soon.
const PATIENCE_MS = 2_000;
const EVERY_MS = 20;

// What Windows says of a file that a program has open, or of one that it may not touch.
const HELD = ["EBUSY", "EPERM", "EACCES"];

/** A file that a program has open is waited for; then `EBUSY` is thrown. */
export const windowsMoves: Moves = {
  takesOpenFiles: false,
  rename: (from, to) => whenFree([from, to], () => renameSync(from, to)),
  remove: (path) => whenFree([path], () => rmSync(path, { force: true })),
  removeFolder: (path) => whenFree([path], () => rmSync(path, { force: true, recursive: true })),
};

/** Does something with files, again and again while another program has them open. */
export function whenFree<T>(paths: string[], work: () => T, patienceMs = PATIENCE_MS): T {
  const end = Date.now() + patienceMs;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!HELD.includes(codeOf(error) ?? "")) throw error;
      if (Date.now() >= end) throw paths.every(mayWrite) ? held(error) : error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, EVERY_MS);
    }
  }
}

// If this process may write to it, the refusal was not for want of rights.
function mayWrite(path: string): boolean {
  try {
    closeSync(openSync(path, constants.O_RDWR));
    return true;
  } catch (error) {
    return ["EBUSY", "ENOENT"].includes(codeOf(error) ?? "");
  }
}

function held(cause: unknown): Error {
  return Object.assign(new Error("Another program has the file open", { cause }), {
    code: "EBUSY",
  });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
