/** A string for calls of Windows: zero-terminated UTF-16. */
export function wide(text: string): Uint16Array<ArrayBuffer> {
  return Uint16Array.from({ length: text.length + 1 }, (_, i) => text.charCodeAt(i));
}

// Microsoft's Visual C++ runtime, which is not a part of Windows.
const RUNTIME = "vcruntime140.dll";

let runtime: unknown;

/**
 * See {@linkcode System.prepareAddon}. Windows would search the working directory for the addon's libraries, but not for
 * one that is loaded.
 */
export function prepareAddon(): void {
  if (runtime !== undefined) return;
  try {
    runtime = Deno.dlopen(`${systemFolder()}\\${RUNTIME}`, {});
  } catch {
    // It may be in rekey's own folder. The search path is changed only then, since child processes inherit it.
    excludeWorkingDirectory();
  }
}

function excludeWorkingDirectory(): void {
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

/** Rights to open a process with: to query it, or to assign it to a job. */
export const TO_QUERY = PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE;
export const TO_ASSIGN = PROCESS_SET_QUOTA | PROCESS_TERMINATE;

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

/** Calls of kernel32.dll, opened at the first use. */
export function kernel(): Kernel {
  return opened ??= open();
}

/** Opens a process and closes it after `use`. @returns `undefined` if it cannot be opened. */
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

/** The folder of Windows' own programs, for full paths: the working directory may have a program of the same name. */
export function systemFolder(): string {
  const path = new Uint16Array(MAX_PATH);
  const length = kernel().GetSystemDirectoryW(path, MAX_PATH);
  return String.fromCharCode(...path.subarray(0, length));
}
