import { kernel, systemFolder, TO_LOOK, withProcess } from "./kernel.ts";
import type {
  Advice,
  BaseFolders,
  Identities,
  Invocation,
  Paths,
  UserEnvironment,
} from "../system.ts";
import { win32 } from "node:path";
import { pathOf } from "../written_path.ts";

const NAME_SAM_COMPATIBLE = 2;
const LONGEST = 512;

/** Who runs this process, as `DOMAIN\user`; `undefined` when Windows does not tell. */
export function account(): string | undefined {
  // By its whole path: Windows looks beside the program first.
  const secur32 = Deno.dlopen(`${systemFolder()}\\secur32.dll`, {
    GetUserNameExW: { parameters: ["i32", "buffer", "buffer"], result: "u8" },
  });
  try {
    const name = new Uint16Array(LONGEST);
    const length = new Uint32Array([LONGEST]);
    if (secur32.symbols.GetUserNameExW(NAME_SAM_COMPATIBLE, name, length) === 0) return undefined;
    return String.fromCharCode(...name.subarray(0, length[0]));
  } finally {
    secur32.close();
  }
}

const WAIT_TIMEOUT = 0x102;

// FILETIME counts tenths of a microsecond since 1601.
const TICKS_A_MICROSECOND = 10n;
const EPOCH = 116_444_736_000_000_000n;

/** What Windows tells of processes: when they started, in microseconds since the epoch. */
export const windowsIdentities: Identities = {
  // Number and time are not given twice, whatever was started again since.
  place: () => "Windows",
  startOf: (pid) =>
    withProcess(pid, TO_LOOK, (handle) => {
      const { GetProcessTimes, WaitForSingleObject } = kernel();
      // Something may keep hold of one that has ended.
      if (WaitForSingleObject(handle, 0) !== WAIT_TIMEOUT) return undefined;
      const [created, exited, inKernel, inUser] = [0, 0, 0, 0].map(() => new BigUint64Array(1));
      const told = GetProcessTimes(handle, created!, exited!, inKernel!, inUser!);
      return told === 0 ? undefined : Number((created![0]! - EPOCH) / TICKS_A_MICROSECOND);
    }),
};

/** A word of a line for cmd or PowerShell; a path has no quotation mark in it. */
export function cmdWord(text: string): string {
  return /^[\w@+=:,.\/\\~-]+$/.test(text) ? text : `"${text}"`;
}

/** cmd takes the line as it stands between the outer quotation marks. */
export function cmd(commandLine: string): Invocation {
  return {
    program: `${systemFolder()}\\cmd.exe`,
    args: ["/d", "/s", "/c", `"${commandLine}"`],
    windowsRawArguments: true,
  };
}

/** For PowerShell, whose `>` writes UTF-16. */
export const windowsAdvice: Advice = {
  makeKey: "$b = [byte[]]::new(32); " +
    "[Security.Cryptography.RandomNumberGenerator]::Create().GetBytes($b); " +
    "[Convert]::ToBase64String($b) | Set-Content -Encoding ascii FILE",
  convert: "`Get-Content FILE | Set-Content -Encoding utf8 OTHER` converts it",
  show: (path) => `icacls "${path}"`,
  largest: (folder) => `# make room on the disk of ${folder}`,
};

// Names of devices in every folder, with whatever ending; ¹, ² and ³ count as digits.
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3]) *(\..*)?$/i;

/** Paths as Windows has them: `C:\folder\file`, `\\server\share\file`. */
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
  // No app's name has a space in it, so that its folder is none of these.
  const own = (name: string) => base && win32.join(base, name);
  return { data: base, config: own("rekey keys"), cache: own("rekey cache") };
}

function faultOf(text: string): string | undefined {
  if (/%[^%\\/]+%/.test(text)) return "it has a % in it, which nothing has expanded";
  if (/^[\\/]{2}[?.][\\/]/.test(text)) return "it names a device";
  const isNever = (character: string) => character < " " || '<>"|?*'.includes(character);
  if ([...text].some(isNever)) return "it has a character in it that no file's name has";
  if (text.replace(/^[A-Za-z]:/, "").includes(":")) return "it has a second : in it";
  const faults = text.split(/[\\/]+/).filter((name) => !/^\.{0,2}$/.test(name)).map(faultOfName);
  return faults.find((fault) => fault !== undefined);
}

function faultOfName(name: string): string | undefined {
  const bare = name.replace(/^[A-Za-z]:/, "");
  if (DEVICE.test(bare)) return "Windows keeps that name for a device";
  // Windows takes them away: it would be another file, such as another app's.
  return /[. ]$/.test(bare) ? "it has a name that ends with a dot or a space" : undefined;
}
