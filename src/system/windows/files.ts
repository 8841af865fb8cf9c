import { closeSync, constants, openSync, readSync, renameSync, rmSync } from "node:fs";
import { win32 } from "node:path";
import { CHUNK_BYTES, type FileSystem, sleepSync, type Streams } from "../files.ts";
import { type BaseFolders, pathOf, type Paths, type UserEnvironment } from "../paths.ts";

/** Windows path syntax: `C:\folder\file`, `\\server\share\file`. */
export const windowsPaths: Paths = {
  root: "C:\\",
  delimiter: win32.delimiter,
  sharedFolder: undefined,
  join: win32.join,
  baseFolders,
  isWhole: (path) => /^([A-Za-z]:[\\/]|[\\/]{2}[^\\/?.]+[\\/]+[^\\/])/.test(path),
  faultOf,
  faultOfName,
};

function baseFolders({ home, env }: UserEnvironment): BaseFolders {
  const named = env("LOCALAPPDATA");
  const base = named === undefined
    ? home && win32.join(home, "AppData\\Local")
    : pathOf("LOCALAPPDATA", named, windowsPaths);
  // An app's name contains no space, so its folder is neither of these.
  const own = (name: string) => base && win32.join(base, name);
  return { data: base, config: own("rekey keys"), cache: own("rekey cache") };
}

function faultOf(text: string): string | undefined {
  if (/%[^%\\/]+%/.test(text)) return "it has a % in it, which nothing has expanded";
  if (/^[\\/]{2}[?.][\\/]/.test(text)) return "it names a device";
  const isForbidden = (character: string) => character < " " || '<>"|?*'.includes(character);
  if ([...text].some(isForbidden)) return "it has a character in it that no file name can have";
  if (text.replace(/^[A-Za-z]:/, "").includes(":")) return "it has a second : in it";
  const faults = text.split(/[\\/]+/).filter((name) => !/^\.{0,2}$/.test(name)).map(faultOfName);
  return faults.find((fault) => fault !== undefined);
}

// Device names, in any folder and with any extension; the superscripts 1, 2 and 3 count as digits.
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3]) *(\..*)?$/i;

function faultOfName(name: string): string | undefined {
  const bare = name.replace(/^[A-Za-z]:/, "");
  if (DEVICE.test(bare)) return "Windows reserves that name for a device";
  // Windows drops them, so the path would name another file, such as another app's.
  return /[. ]$/.test(bare) ? "it has a name that ends with a dot or a space" : undefined;
}

// Virus scanners and indexers open a new file for some milliseconds; a command of rekey ends soon.
const RETRY_MS = 2_000;
const RETRY_EVERY_MS = 20;

// Errors for a file that a program has open, or that this user may not change.
const IN_USE = ["EBUSY", "EPERM", "EACCES"];

/** Waits for files that another program has open, then throws `EBUSY`. */
export const windowsFiles: FileSystem = {
  canMoveOpenFiles: false,
  rename: (from, to) => retryWhileOpen([from, to], () => renameSync(from, to)),
  remove: (path) => retryWhileOpen([path], () => rmSync(path, { force: true })),
  removeFolder: (path) =>
    retryWhileOpen([path], () => rmSync(path, { force: true, recursive: true })),
  isReadOnly: () => false,
  isLockedByOthers: () => undefined,
};

/** Repeats `work` while another program has one of the files open. */
export function retryWhileOpen<T>(paths: string[], work: () => T, retryMs = RETRY_MS): T {
  const end = Date.now() + retryMs;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!IN_USE.includes(codeOf(error) ?? "")) throw error;
      if (Date.now() >= end) {
        if (!paths.every(mayWrite)) throw error;
        const busy = new Error("Another program has the file open", { cause: error });
        throw Object.assign(busy, { code: "EBUSY" });
      }
      sleepSync(RETRY_EVERY_MS);
    }
  }
}

// If this process may write to the file, the cause was not its permissions.
function mayWrite(path: string): boolean {
  try {
    closeSync(openSync(path, constants.O_RDWR));
    return true;
  } catch (error) {
    return ["EBUSY", "ENOENT"].includes(codeOf(error) ?? "");
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

const STDIN_HANDLE = -10;
const POLL_EVERY_MS = 5;

function loadConsole() {
  return Deno.dlopen("kernel32.dll", {
    GetConsoleMode: { parameters: ["usize", "buffer"], result: "i32" },
    GetStdHandle: { parameters: ["i32"], result: "usize" },
    PeekNamedPipe: {
      parameters: ["usize", "pointer", "u32", "pointer", "buffer", "pointer"],
      result: "i32",
    },
  }).symbols;
}

let loaded: ReturnType<typeof loadConsole> | undefined;

function consoleCalls() {
  return loaded ??= loadConsole();
}

/** Whether reading stdin would block: it is an empty pipe, and its other end is open. */
function isEmptyPipe(): boolean {
  const { GetStdHandle, PeekNamedPipe } = consoleCalls();
  const available = new Uint32Array(1);
  const done = PeekNamedPipe(GetStdHandle(STDIN_HANDLE), null, 0, null, available, null) !== 0;
  return done && available[0] === 0;
}

/** Only stdin: Windows has no numbers for other open files, and no pipes in folders. */
export const windowsStreams: Streams = {
  isTerminal(descriptor) {
    const { GetStdHandle, GetConsoleMode } = consoleCalls();
    return descriptor === 0 && GetConsoleMode(GetStdHandle(STDIN_HANDLE), new Uint32Array(1)) !== 0;
  },

  withDescriptor: () => undefined,

  next(descriptor, timeoutMs) {
    for (const end = Date.now() + timeoutMs; descriptor === 0 && isEmptyPipe();) {
      if (Date.now() >= end) return "timeout";
      sleepSync(POLL_EVERY_MS);
    }
    const buffer = new Uint8Array(CHUNK_BYTES);
    try {
      const chunk = buffer.slice(0, readSync(descriptor, buffer));
      buffer.fill(0);
      return chunk;
    } catch {
      return "failed";
    }
  },
};
