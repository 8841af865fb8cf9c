import { win32 } from "node:path";
import type { BaseFolders, Paths, UserEnvironment } from "../paths.ts";
import { pathOf } from "../written_path.ts";

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
