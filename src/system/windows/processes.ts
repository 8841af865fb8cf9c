import { kernel, systemFolder, TO_JOIN, withProcess } from "./kernel.ts";
import {
  type Family,
  kill,
  PIECE,
  type ProcessControl,
  type Programs,
  type Streams,
  type TakeSignal,
} from "../system.ts";
import { readSync } from "node:fs";
import { userInfo } from "node:os";
import { account, cmd, cmdWord, windowsIdentities } from "./basics.ts";
import { win32 } from "node:path";

const CTRL_C_EVENT = 0;
const EVERYONE = 0;

const MOST_ATTACHED = 4_096;

let sent = 0;

/**
 * Sends Ctrl-C to programs of this process's console, which it has to itself with them: there is no way to send it to
 * some of them. A shell would take it for its user's.
 *
 * @returns `false` where another program has the console too, or the programs are not there.
 */
function sendCtrlC(programs: readonly number[]): boolean {
  const { GetConsoleProcessList, GenerateConsoleCtrlEvent } = kernel();
  const attached = new Uint32Array(MOST_ATTACHED);
  const count = GetConsoleProcessList(attached, MOST_ATTACHED);
  if (count > MOST_ATTACHED) return false;
  const others = [...attached.subarray(0, count)].filter((pid) => pid !== Deno.pid);
  if (others.length === 0 || !others.every((pid) => programs.includes(pid))) return false;
  if (GenerateConsoleCtrlEvent(CTRL_C_EVENT, EVERYONE) === 0) return false;
  sent++;
  return true;
}

/** Whether a Ctrl-C that has come is one that this process has sent. */
function wasSent(): boolean {
  if (sent === 0) return false;
  sent--;
  return true;
}

// From <winnt.h>.
const EXTENDED_LIMITS = 9;
const EXTENDED_LIMITS_BYTES = 144;
const FLAGS_OFFSET = 16;
const KILL_ON_JOB_CLOSE = 0x2000;
const PROCESS_IDS = 3;

/** As the runtime ends a single process. */
const EXIT_STATUS = 1;

// More than any program starts; those beyond them count as others.
const MOST_LISTED = 4_096;

/**
 * A program and all that it starts, as a job of Windows: many a program here is a script that starts the real one, which
 * would stay behind. What is in the job ends with this process, however that ends.
 */
class Job implements Family {
  #job: Deno.PointerValue;

  constructor(pid: number) {
    const { CreateJobObjectW, SetInformationJobObject, AssignProcessToJobObject } = kernel();
    this.#job = CreateJobObjectW(null, null);
    const limits = new Uint8Array(EXTENDED_LIMITS_BYTES);
    new DataView(limits.buffer).setUint32(FLAGS_OFFSET, KILL_ON_JOB_CLOSE, true);
    SetInformationJobObject(this.#job, EXTENDED_LIMITS, limits, EXTENDED_LIMITS_BYTES);
    withProcess(pid, TO_JOIN, (handle) => AssignProcessToJobObject(this.#job, handle));
  }

  ask(): boolean {
    return sendCtrlC(this.#members());
  }

  end(): void {
    const { TerminateJobObject, CloseHandle } = kernel();
    if (this.#job === null) return;
    TerminateJobObject(this.#job, EXIT_STATUS);
    CloseHandle(this.#job);
    this.#job = null;
  }

  #members(): number[] {
    const ids = new BigUint64Array(1 + MOST_LISTED);
    kernel().QueryInformationJobObject(this.#job, PROCESS_IDS, ids, ids.byteLength, null);
    // Two numbers of 32 bits, how many there are and how many are listed, and then the list.
    return [...ids.subarray(1, 1 + Number(ids[0]! >> 32n))].map(Number);
  }
}

const STDIN_HANDLE = -10;
const EVERY_MS = 5;

function loadLibrary() {
  return Deno.dlopen("kernel32.dll", {
    GetConsoleMode: { parameters: ["usize", "buffer"], result: "i32" },
    GetStdHandle: { parameters: ["i32"], result: "usize" },
    PeekNamedPipe: {
      parameters: ["usize", "pointer", "u32", "pointer", "buffer", "pointer"],
      result: "i32",
    },
  }).symbols;
}

let loaded: ReturnType<typeof loadLibrary> | undefined;

function calls() {
  return loaded ??= loadLibrary();
}

/** Whether a read of stdin would wait: it is a pipe with nothing in it whose other end is open. */
function isEmptyPipe(): boolean {
  const { GetStdHandle, PeekNamedPipe } = calls();
  const there = new Uint32Array(1);
  const told = PeekNamedPipe(GetStdHandle(STDIN_HANDLE), null, 0, null, there, null) !== 0;
  return told && there[0] === 0;
}

/** Of what is open only stdin is known by a number here, and pipes are no files in folders. */
export const windowsStreams: Streams = {
  isTerminal(descriptor) {
    const { GetStdHandle, GetConsoleMode } = calls();
    return descriptor === 0 && GetConsoleMode(GetStdHandle(STDIN_HANDLE), new Uint32Array(1)) !== 0;
  },

  withDescriptor: () => undefined,

  next(descriptor, waitMs) {
    for (const end = Date.now() + waitMs; descriptor === 0 && isEmptyPipe();) {
      if (Date.now() >= end) return "late";
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, EVERY_MS);
    }
    const buffer = new Uint8Array(PIECE);
    try {
      const piece = buffer.slice(0, readSync(descriptor, buffer));
      buffer.fill(0);
      return piece;
    } catch {
      return "failed";
    }
  },
};

/** Processes as Windows has them. */
export const windowsProcesses: ProcessControl = {
  begin() {},
  heed: (signal, take) => Deno.addSignalListener(signal, take),
  shell: cmd,
  shellToStderr: cmd,
  quoted: cmdWord,
  // The console's: Ctrl-C, Ctrl-Break and its closing; and the end of the session.
  stopping: ["SIGINT", "SIGBREAK", "SIGHUP", "SIGTERM"],
  reloading: undefined,
  endTree,
  identities: windowsIdentities,
  account: () => account() ?? userInfo().username,
};

async function endTree(child: Deno.ChildProcess): Promise<void> {
  const taskkill = `${systemFolder()}\\taskkill.exe`;
  const args = ["/T", "/F", "/PID", String(child.pid)];
  await new Deno.Command(taskkill, { args, stdout: "null", stderr: "null" }).output();
  kill(child, "SIGKILL");
}

// Of PATHEXT those that Windows starts by itself; the others are documents of some program.
const ENDINGS = [".com", ".exe", ".bat", ".cmd"];

/** Programs as Windows has them. */
export const windowsPrograms: Programs = {
  get usualFolders() {
    return systemFolder();
  },
  placesOf,
  mayExecute: (path) => ENDINGS.includes(win32.extname(path).toLowerCase()),
  needs:
    "A program ends in .com, .exe, .bat or .cmd; one of the last two takes no line end in an argument",
  sendable: [],
  keepTogether: ({ pid }) => new Job(pid),
  onSignals,
  // What ends a program here is a status.
  dieOf() {},
};

// Not in the current folder, unless it is named: cmd looks there first, and anyone may have put something there.
function placesOf(name: string, folders: string): string[] {
  const names = ENDINGS.includes(win32.extname(name).toLowerCase())
    ? [name]
    : ENDINGS.map((ending) => name + ending);
  if (name === "" || /[\\/:]/.test(name)) return names;
  const unquoted = folders.split(";").map((folder) => folder.replaceAll('"', "").trim());
  return unquoted.filter((folder) => win32.isAbsolute(folder))
    .flatMap((folder) => names.map((name) => win32.join(folder, name)));
}

// The console sends them to every program in it.
function onSignals(take: TakeSignal): void {
  Deno.addSignalListener("SIGINT", () => {
    if (!wasSent()) take("SIGINT", true);
  });
  Deno.addSignalListener("SIGBREAK", () => take("SIGBREAK", true));
}
