/** Zero-terminated UTF-16, as Windows' calls take a text. */
export function wide(text: string): Uint16Array<ArrayBuffer> {
  // By units and not by characters, of which one may be two units.
  return Uint16Array.from({ length: text.length + 1 }, (_, i) => text.charCodeAt(i));
}

// Microsoft's Visual C++ runtime, which Windows itself does not have.
const RUNTIME = "vcruntime140.dll";

// A library that is loaded is not looked for again.
let runtime: unknown;

/** See {@linkcode System.prepareAddon}. Windows would look for what the addon needs in the working folder too. */
export function prepareAddon(): void {
  if (runtime !== undefined) return;
  try {
    runtime = Deno.dlopen(`${systemFolder()}\\${RUNTIME}`, {});
  } catch {
    // It may be beside rekey. This is the second choice, since programs that rekey starts inherit where to look.
    leaveOutWorkingFolder();
  }
}

function leaveOutWorkingFolder(): void {
  const kernel32 = Deno.dlopen("kernel32.dll", {
    SetDllDirectoryW: { parameters: ["buffer"], result: "i32" },
  });
  kernel32.symbols.SetDllDirectoryW(wide(""));
  kernel32.close();
}

// From <winnt.h>, <winbase.h> and <wincon.h> of Windows.
const PROCESS_TERMINATE = 0x1;
const PROCESS_SET_QUOTA = 0x100;
const PROCESS_QUERY_LIMITED_INFORMATION = 0x1000;
const SYNCHRONIZE = 0x100000;

const MAX_PATH = 260;

/** What a process is opened for: to be looked at, or to be put into a job. */
export const TO_LOOK = PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE;
export const TO_JOIN = PROCESS_SET_QUOTA | PROCESS_TERMINATE;

/** Calls of Windows for which the runtime has none. */
type Kernel = ReturnType<typeof open>;

function open() {
  return Deno.dlopen("kernel32.dll", {
    OpenProcess: { parameters: ["u32", "i32", "u32"], result: "pointer" },
    CloseHandle: { parameters: ["pointer"], result: "i32" },
    GetProcessTimes: {
      parameters: ["pointer", "buffer", "buffer", "buffer", "buffer"],
      result: "i32",
    },
    WaitForSingleObject: { parameters: ["pointer", "u32"], result: "u32" },
    CreateJobObjectW: { parameters: ["pointer", "pointer"], result: "pointer" },
    SetInformationJobObject: { parameters: ["pointer", "i32", "buffer", "u32"], result: "i32" },
    QueryInformationJobObject: {
      parameters: ["pointer", "i32", "buffer", "u32", "pointer"],
      result: "i32",
    },
    AssignProcessToJobObject: { parameters: ["pointer", "pointer"], result: "i32" },
    TerminateJobObject: { parameters: ["pointer", "u32"], result: "i32" },
    GetConsoleProcessList: { parameters: ["buffer", "u32"], result: "u32" },
    GenerateConsoleCtrlEvent: { parameters: ["u32", "u32"], result: "i32" },
    GetSystemDirectoryW: { parameters: ["buffer", "u32"], result: "u32" },
  }).symbols;
}

let opened: Kernel | undefined;

/** Opened at the first use: most commands need none of it. */
export function kernel(): Kernel {
  return opened ??= open();
}

/** Does something with a process, if it can be opened. */
export function withProcess<T>(
  pid: number,
  access: number,
  use: (handle: Deno.PointerObject) => T,
): T | undefined {
  const { OpenProcess, CloseHandle } = kernel();
  const handle = OpenProcess(access, 0, pid);
  if (handle === null) return undefined;
  try {
    return use(handle);
  } finally {
    CloseHandle(handle);
  }
}

/** Windows' own programs are there: a program of that name in the working folder is someone else's. */
export function systemFolder(): string {
  const path = new Uint16Array(MAX_PATH);
  const length = kernel().GetSystemDirectoryW(path, MAX_PATH);
  return String.fromCharCode(...path.subarray(0, length));
}
