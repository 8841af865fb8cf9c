import { userInfo } from "node:os";
import { win32 } from "node:path";
import {
  type Invocation,
  kill,
  type ProcessControl,
  type ProcessGroup,
  type Programs,
  type SignalHandler,
} from "../processes.ts";
import type { Advice } from "../system.ts";
import { kernel, systemFolder, TO_ASSIGN, TO_QUERY, withProcess } from "./kernel.ts";

/** Commands for PowerShell, whose `>` writes UTF-16. */
export const windowsAdvice: Advice = {
  makeKey: "$b = [byte[]]::new(32); " +
    "[Security.Cryptography.RandomNumberGenerator]::Create().GetBytes($b); " +
    "[Convert]::ToBase64String($b) | Set-Content -Encoding ascii FILE",
  convert: "`Get-Content FILE | Set-Content -Encoding utf8 OTHER` converts it",
  show: (path) => `icacls "${path}"`,
  largest: (folder) => `# make room on the disk of ${folder}`,
};

/** Shells, signals and process identities. */
export const windowsProcesses: ProcessControl = {
  setUpSignals() {},
  listen: (signal, take) => Deno.addSignalListener(signal, take),
  shell: cmd,
  shellToStderr: cmd,
  quoted: quotedWord,
  // Ctrl-C, Ctrl-Break, closing the console, and the end of the session.
  stopSignals: ["SIGINT", "SIGBREAK", "SIGHUP", "SIGTERM"],
  reloadSignal: undefined,
  hasGroups: false,
  killTree,
  identities: { place: () => "Windows", startOf },
  lackOfFiles: () => undefined,
  account: () => account() ?? userInfo().username,
};

async function killTree(child: Deno.ChildProcess): Promise<void> {
  const taskkill = `${systemFolder()}\\taskkill.exe`;
  const args = ["/T", "/F", "/PID", String(child.pid)];
  await new Deno.Command(taskkill, { args, stdout: "null", stderr: "null" }).output();
  kill(child, "SIGKILL");
}

// Quotes a word for cmd or PowerShell; a path contains no quotation mark.
function quotedWord(text: string): string {
  return /^[\w@+=:,.\/\\~-]+$/.test(text) ? text : `"${text}"`;
}

// cmd takes what is between the outer quotation marks literally.
function cmd(commandLine: string): Invocation {
  return {
    program: `${systemFolder()}\\cmd.exe`,
    args: ["/d", "/s", "/c", `"${commandLine}"`],
    windowsRawArguments: true,
  };
}

const NAME_SAM_COMPATIBLE = 2;
const MAX_ACCOUNT_LENGTH = 512;

/** The user of this process as `DOMAIN\user`; `undefined` if Windows does not tell. */
function account(): string | undefined {
  // By its full path: Windows searches the program's folder first.
  const secur32 = Deno.dlopen(`${systemFolder()}\\secur32.dll`, {
    GetUserNameExW: { parameters: ["i32", "buffer", "buffer"], result: "u8" },
  });
  try {
    const name = new Uint16Array(MAX_ACCOUNT_LENGTH);
    const length = new Uint32Array([MAX_ACCOUNT_LENGTH]);
    if (secur32.symbols.GetUserNameExW(NAME_SAM_COMPATIBLE, name, length) === 0) return undefined;
    return String.fromCharCode(...name.subarray(0, length[0]));
  } finally {
    secur32.close();
  }
}

const WAIT_TIMEOUT = 0x102;

// FILETIME counts units of 100 nanoseconds since 1601.
const TICKS_PER_MICROSECOND = 10n;
const UNIX_EPOCH = 116_444_736_000_000_000n;

// In microseconds since the epoch. A number and a start time are unique across boots.
function startOf(pid: number): number | undefined {
  return withProcess(pid, TO_QUERY, (handle) => {
    const { GetProcessTimes, WaitForSingleObject } = kernel();
    // A process that has ended still exists while a program holds a handle.
    if (WaitForSingleObject(handle, 0) !== WAIT_TIMEOUT) return undefined;
    const [created, exited, inKernel, inUser] = [0, 0, 0, 0].map(() => new BigUint64Array(1));
    const done = GetProcessTimes(handle, created!, exited!, inKernel!, inUser!);
    return done === 0 ? undefined : Number((created![0]! - UNIX_EPOCH) / TICKS_PER_MICROSECOND);
  });
}

// From <wincon.h>.
const CTRL_C_EVENT = 0;
const ALL_PROCESSES = 0;
const MAX_ATTACHED = 4_096;

let sent = 0;

/**
 * Sends Ctrl-C to all programs of this console, since Windows cannot send it to some of them.
 *
 * @returns `false`, and sends nothing, if other programs share the console: a shell would take it as its user's.
 */
function sendCtrlC(programs: readonly number[]): boolean {
  const { GetConsoleProcessList, GenerateConsoleCtrlEvent } = kernel();
  const attached = new Uint32Array(MAX_ATTACHED);
  const count = GetConsoleProcessList(attached, MAX_ATTACHED);
  if (count > MAX_ATTACHED) return false;
  const others = [...attached.subarray(0, count)].filter((pid) => pid !== Deno.pid);
  if (others.length === 0 || !others.every((pid) => programs.includes(pid))) return false;
  if (GenerateConsoleCtrlEvent(CTRL_C_EVENT, ALL_PROCESSES) === 0) return false;
  sent++;
  return true;
}

// From <winnt.h>.
const EXTENDED_LIMITS = 9;
const EXTENDED_LIMITS_BYTES = 144;
const FLAGS_OFFSET = 16;
const KILL_ON_JOB_CLOSE = 0x2000;
const PROCESS_IDS = 3;

// The exit status of a process that the runtime kills.
const EXIT_STATUS = 1;

// More than any program starts; processes beyond that count as other programs.
const MAX_LISTED = 4_096;

/**
 * A Windows job: a program and its descendants. Many programs are scripts that start the real program, which would
 * survive its script. Windows kills the job's processes when this process ends.
 */
class Job implements ProcessGroup {
  #job: Deno.PointerValue;

  constructor(pid: number) {
    const { CreateJobObjectW, SetInformationJobObject, AssignProcessToJobObject } = kernel();
    this.#job = CreateJobObjectW(null, null);
    const limits = new Uint8Array(EXTENDED_LIMITS_BYTES);
    new DataView(limits.buffer).setUint32(FLAGS_OFFSET, KILL_ON_JOB_CLOSE, true);
    SetInformationJobObject(this.#job, EXTENDED_LIMITS, limits, EXTENDED_LIMITS_BYTES);
    withProcess(pid, TO_ASSIGN, (handle) => AssignProcessToJobObject(this.#job, handle));
  }

  terminate(): boolean {
    return sendCtrlC(this.#members());
  }

  kill(): void {
    const { TerminateJobObject, CloseHandle } = kernel();
    if (this.#job === null) return;
    TerminateJobObject(this.#job, EXIT_STATUS);
    CloseHandle(this.#job);
    this.#job = null;
  }

  #members(): number[] {
    const ids = new BigUint64Array(1 + MAX_LISTED);
    kernel().QueryInformationJobObject(this.#job, PROCESS_IDS, ids, ids.byteLength, null);
    // Two 32-bit numbers, how many processes there are and how many are listed; then their ids.
    return [...ids.subarray(1, 1 + Number(ids[0]! >> 32n))].map(Number);
  }
}

// The endings of PATHEXT that Windows starts itself; programs open the others as documents.
const ENDINGS = [".com", ".exe", ".bat", ".cmd"];

export const windowsPrograms: Programs = {
  get defaultPath() {
    return systemFolder();
  },
  candidates,
  isExecutable: (path) => ENDINGS.includes(win32.extname(path).toLowerCase()),
  needs:
    "A program ends in .com, .exe, .bat or .cmd; one of the last two takes no line end in an argument",
  sendable: [],
  group: ({ pid }) => new Job(pid),
  onSignals,
  // Windows has only exit statuses.
  dieOf() {},
};

// Not in the working directory, unless the name says so: cmd searches it first, but anyone may have put a file there.
function candidates(name: string, folders: string): string[] {
  const names = ENDINGS.includes(win32.extname(name).toLowerCase())
    ? [name]
    : ENDINGS.map((ending) => name + ending);
  if (name === "" || /[\\/:]/.test(name)) return names;
  const unquoted = folders.split(";").map((folder) => folder.replaceAll('"', "").trim());
  return unquoted.filter((folder) => win32.isAbsolute(folder))
    .flatMap((folder) => names.map((name) => win32.join(folder, name)));
}

// The console sends them to all of its programs.
function onSignals(take: SignalHandler): void {
  Deno.addSignalListener("SIGINT", () => {
    // Not the one that this process has sent itself.
    if (sent === 0) take("SIGINT", true);
    else sent--;
  });
  Deno.addSignalListener("SIGBREAK", () => take("SIGBREAK", true));
}
