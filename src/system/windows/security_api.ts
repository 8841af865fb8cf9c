import { win32 } from "node:path";
import { type Descriptor, parseDescriptor, parseSid } from "./access_lists.ts";
import { wide } from "./kernel.ts";

// <accctrl.h>, <winnt.h>, <sddl.h>.
const SE_FILE_OBJECT = 1;
const [OWNER_INFORMATION, LIST_INFORMATION, PROTECTED_LIST] = [1, 4, 0x80000004];
const SDDL_REVISION_1 = 1;
const [TOKEN_QUERY, TOKEN_USER] = [8, 1];
const CURRENT_PROCESS = -1n;
const [GENERIC_WRITE, SHARE_ALL, CREATE_NEW] = [0x40000000, 7, 1];
const INVALID_HANDLE = 2n ** 64n - 1n;
// Longer paths need the prefix \\?\. The limit for folders leaves room for a file name of DOS.
const LONGEST_PLAIN = 247;

/** Calls of Windows for owners and access lists. */
export interface SecurityApi {
  /** Identifier of this process's user. */
  me(): string;
  /** The descriptor of a file or folder. Follows links. @throws an error with the system's code. */
  descriptorOf(path: string): Descriptor;
  /** Sets an access list that inherits nothing. @param sddl in the Security Descriptor Definition Language. */
  protect(path: string, sddl: string): void;
  /** Creates a folder with such a list. @returns whether that worked. */
  makeFolder(path: string, sddl: string): boolean;
  /** Creates an empty file with such a list. @returns whether that worked; `false` also if the file exists. */
  makeFile(path: string, sddl: string): boolean;
}

function load() {
  const advapi32 = Deno.dlopen("advapi32.dll", {
    GetNamedSecurityInfoW: {
      parameters: ["buffer", "i32", "u32", "pointer", "pointer", "pointer", "pointer", "buffer"],
      result: "u32",
    },
    SetFileSecurityW: { parameters: ["buffer", "u32", "pointer"], result: "i32" },
    ConvertStringSecurityDescriptorToSecurityDescriptorW: {
      parameters: ["buffer", "u32", "buffer", "pointer"],
      result: "i32",
    },
    GetSecurityDescriptorLength: { parameters: ["pointer"], result: "u32" },
    OpenProcessToken: { parameters: ["isize", "u32", "buffer"], result: "i32" },
    GetTokenInformation: {
      parameters: ["usize", "i32", "buffer", "u32", "buffer"],
      result: "i32",
    },
  }).symbols;
  const kernel32 = Deno.dlopen("kernel32.dll", {
    LocalFree: { parameters: ["pointer"], result: "pointer" },
    CloseHandle: { parameters: ["usize"], result: "i32" },
    CreateDirectoryW: { parameters: ["buffer", "buffer"], result: "i32" },
    CreateFileW: {
      parameters: ["buffer", "u32", "u32", "buffer", "u32", "u32", "usize"],
      result: "usize",
    },
  }).symbols;
  return { ...advapi32, ...kernel32 };
}

let loaded: ReturnType<typeof load> | undefined;
let user: string | undefined;

function calls() {
  return loaded ??= load();
}

export const securityApi: SecurityApi = {
  me: () => user ??= currentUser(),

  descriptorOf(path) {
    const out = new BigUint64Array(1);
    const what = OWNER_INFORMATION | LIST_INFORMATION;
    const name = wide(plain(path));
    const { GetNamedSecurityInfoW } = calls();
    const status = GetNamedSecurityInfoW(name, SE_FILE_OBJECT, what, null, null, null, null, out);
    if (status !== 0) {
      throw failed("GetNamedSecurityInfoW", path, CODES[status] ?? `WINDOWS_${status}`);
    }
    return withMemory(out[0]!, (pointer) => {
      const length = calls().GetSecurityDescriptorLength(pointer);
      return parseDescriptor(
        new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, length)),
      );
    });
  },

  protect: (path, sddl) =>
    withDescriptor(sddl, (descriptor) => {
      // Not SetNamedSecurityInfoW: under Wine it adds inherited entries.
      const done = calls().SetFileSecurityW(wide(plain(path)), PROTECTED_LIST, descriptor) !== 0;
      if (!done) throw failed("SetFileSecurityW", path, "EACCES");
    }),

  makeFolder: (path, sddl) =>
    withDescriptor(
      sddl,
      (descriptor) => calls().CreateDirectoryW(wide(plain(path)), attributes(descriptor)) !== 0,
    ),

  makeFile: (path, sddl) =>
    withDescriptor(sddl, (descriptor) => {
      const [name, access] = [wide(plain(path)), attributes(descriptor)];
      const { CreateFileW, CloseHandle } = calls();
      const handle = CreateFileW(name, GENERIC_WRITE, SHARE_ALL, access, CREATE_NEW, 0, 0n);
      if (BigInt(handle) === INVALID_HANDLE) return false;
      CloseHandle(handle);
      return true;
    }),
};

/** SECURITY_ATTRIBUTES: its size, the descriptor, and a handle that child processes do not inherit. */
function attributes(descriptor: Deno.PointerObject): BigUint64Array<ArrayBuffer> {
  return BigUint64Array.of(24n, Deno.UnsafePointer.value(descriptor), 0n);
}

function withDescriptor<T>(sddl: string, use: (descriptor: Deno.PointerObject) => T): T {
  const out = new BigUint64Array(1);
  const convert = calls().ConvertStringSecurityDescriptorToSecurityDescriptorW;
  if (convert(wide(sddl), SDDL_REVISION_1, out, null) === 0) {
    throw new Error(`Windows cannot parse ${sddl}`);
  }
  return withMemory(out[0]!, use);
}

/** Frees a descriptor that Windows has allocated after `use`. */
function withMemory<T>(address: bigint, use: (descriptor: Deno.PointerObject) => T): T {
  const pointer = Deno.UnsafePointer.create(address)!;
  try {
    return use(pointer);
  } finally {
    calls().LocalFree(pointer);
  }
}

function currentUser(): string {
  const { OpenProcessToken, GetTokenInformation, CloseHandle } = calls();
  const token = new BigUint64Array(1);
  const opened = OpenProcessToken(CURRENT_PROCESS, TOKEN_QUERY, token) !== 0;
  // TOKEN_USER is a pointer to the identifier and flags; then comes the identifier, 68 bytes at most.
  const information = new Uint8Array(128);
  const length = new Uint32Array(1);
  const told = opened && GetTokenInformation(token[0]!, TOKEN_USER, information, 128, length) !== 0;
  if (opened) CloseHandle(token[0]!);
  if (!told) throw new Error("Windows does not tell the user of this process");
  return parseSid(information.subarray(16));
}

function plain(path: string): string {
  return path.length > LONGEST_PLAIN ? win32.toNamespacedPath(path) : path;
}

const CODES: Readonly<Record<number, string>> = {
  2: "ENOENT",
  3: "ENOENT",
  5: "EACCES",
  19: "EROFS",
  32: "EBUSY",
  1307: "EPERM",
  1314: "EPERM",
};

function failed(call: string, path: string, code: string): Error {
  return Object.assign(new Error(`${call} failed for ${path}: ${code}`), { code });
}
