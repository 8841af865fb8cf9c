import assert from "node:assert/strict";
import { appNamed } from "../../src/core/app.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { foldersFor, pathGiven, pathOf } from "../../src/system/paths.ts";
import { linux } from "../../src/system/linux.ts";
import { macos } from "../../src/system/macos.ts";
import { windows } from "../../src/system/windows.ts";

const acme = appNamed("acme");

const around = (env: Record<string, string> = {}, home?: string) => ({
  home,
  env: (name: string) => env[name],
});

const usage = (error: unknown) => isRekeyError(error, "usage");

Deno.test("Linux follows XDG, and ignores a relative value for the cache", () => {
  const plain = foldersFor(acme, around({}, "/home/u"), undefined, linux);
  assert.equal(plain.data, "/home/u/.local/share/acme");
  const xdg = { XDG_DATA_HOME: "/d", XDG_CONFIG_HOME: "/c", XDG_CACHE_HOME: "k" };
  assert.deepEqual(foldersFor(acme, around(xdg, "/home/u"), undefined, linux), {
    data: "/d/acme",
    defaultData: "/d/acme",
    dataNamed: false,
    config: "/c/rekey",
    cache: "/home/u/.cache/rekey",
  });
});

Deno.test("macOS: the Library of the home folder, whatever XDG says", () => {
  const xdg = { XDG_DATA_HOME: "/d", XDG_CONFIG_HOME: "/c", XDG_CACHE_HOME: "/k" };
  assert.deepEqual(foldersFor(acme, around(xdg, "/Users/u"), undefined, macos), {
    data: "/Users/u/Library/Application Support/acme",
    defaultData: "/Users/u/Library/Application Support/acme",
    dataNamed: false,
    config: "/Users/u/Library/Application Support/rekey keys",
    cache: "/Users/u/Library/Caches/rekey",
  });
});

Deno.test("Windows: LOCALAPPDATA, or where it is in the home folder", () => {
  const named = foldersFor(acme, around({ LOCALAPPDATA: "D:\\L" }, "C:\\U"), undefined, windows);
  assert.deepEqual(named, {
    data: "D:\\L\\acme",
    defaultData: "D:\\L\\acme",
    dataNamed: false,
    config: "D:\\L\\rekey keys",
    cache: "D:\\L\\rekey cache",
  });
  const found = foldersFor(acme, around({}, "C:\\Users\\u"), undefined, windows);
  assert.equal(found.data, "C:\\Users\\u\\AppData\\Local\\acme");
});

Deno.test("no app's data folder holds the key files, not even that of the app rekey", () => {
  for (const system of [linux, macos, windows]) {
    const home = system === windows ? "C:\\U" : "/home/u";
    const { data, config } = foldersFor(appNamed("rekey"), around({}, home), undefined, system);
    assert.ok(!`${config}/`.startsWith(`${data}/`) && config !== data, `${data} ${config}`);
  }
});

Deno.test("without a home folder a data folder must be named, and only the data goes there", () => {
  for (const system of [linux, macos, windows]) {
    assert.throws(() => foldersFor(acme, around(), undefined, system), usage);
    const { config, cache, data } = foldersFor(acme, around(), "/data", system);
    assert.deepEqual([data, config, cache], ["/data", undefined, undefined]);
  }
});

Deno.test("a variable for a folder that is not an absolute path is refused on each system", () => {
  const refused = [
    [linux, "XDG_DATA_HOME", "d"],
    [windows, "LOCALAPPDATA", "%USERPROFILE%\\d"],
    [windows, "LOCALAPPDATA", "d"],
  ] as const;
  for (const [system, name, value] of refused) {
    const named = around({ [name]: value }, "/home/u");
    assert.throws(() => foldersFor(acme, named, undefined, system), usage, value);
  }
});

Deno.test("Windows: apps that it has no files of are refused there, and only there", () => {
  for (const name of ["con", "nul", "aux", "prn", "com1", "lpt9", "aux.db", "con.x", "acme."]) {
    assert.throws(() => foldersFor(appNamed(name), around({}, "C:\\U"), undefined, windows), usage);
    assert.equal(foldersFor(appNamed(name), around(), "/d", linux).data, "/d");
  }
  for (const name of ["console", "com", "com10", "nul-x", "a.con"]) {
    const { data } = foldersFor(appNamed(name), around({}, "C:\\U"), undefined, windows);
    assert.equal(data, `C:\\U\\AppData\\Local\\${name}`);
  }
});

const WHOLE = [
  "C:\\x",
  "c:/x/y",
  "C:\\",
  "\\\\server\\share",
  "\\\\server\\share$\\x y",
  "//s/s/x",
];
const NOT_WHOLE = ["x", ".\\x", "C:x", "C:", "\\x", "/x", "\\\\server", "\\\\server\\"];

Deno.test("Windows: an absolute path begins with a drive or a share", () => {
  for (const path of WHOLE) assert.equal(pathOf("P", path, windows!.paths), path);
  for (const path of NOT_WHOLE) {
    assert.throws(() => pathOf("P", path, windows!.paths), usage, path);
    assert.equal(pathGiven("P", path, windows!.paths), path);
  }
});

const NO_PATHS_THERE = [
  ...["%LOCALAPPDATA%\\x", "C:\\%USERNAME%\\x", "$env:APPDATA\\x", "~\\x", '"C:\\x"', "C:\\x "],
  ...["C:\\x\\NUL", "C:\\con\\x", "aux.db", "C:\\x\\com1.txt", "C:\\lpt\u00b2", "\\\\.\\pipe\\x"],
  ...["\\\\?\\C:\\x", "C:\\a.\\x", "C:\\a \\x", "C:\\x:stream", "C:\\a<b", "C:\\a|b", "C:\\a*"],
  ...["C:\\a\nb", "a\tb", "file:///C:/x"],
];

Deno.test("Windows: a name that no file can have is not said to be possible after ./", () => {
  const hintOf = (path: string) => {
    try {
      pathGiven("P", path, windows!.paths);
    } catch (error) {
      if (isRekeyError(error)) return error.hint;
    }
  };
  for (const path of ["con", "NUL.db", "\\\\.\\pipe\\x", "a.", "xy:stream", "a*"]) {
    assert.match(hintOf(path)!, /^Name another file or folder/, path);
  }
  assert.match(hintOf("~x")!, /put \.\/ before it$/);
  // With ./ before it, its end would still be a quotation mark.
  assert.match(hintOf("'x'")!, /name a link to it$/);
});

Deno.test("Windows: what can hardly be a path that was meant is refused, in flags too", () => {
  for (const path of NO_PATHS_THERE) {
    assert.throws(() => pathGiven("P", path, windows!.paths), usage, path);
    assert.throws(() => pathOf("P", path, windows!.paths), usage, path);
  }
});

Deno.test("Windows: names that only look odd are taken", () => {
  const odd = [
    "C:\\PROGRA~1\\x",
    "C:\\a & b (1)\\100%",
    "C:\\..\\.x",
    "C:\\\u00fc\\it's",
    "C:\\a.b\\",
  ];
  for (const path of odd) assert.equal(pathOf("P", path, windows!.paths), path);
});

Deno.test("the hint for an odd name says ./ only where that lets it in", () => {
  const hintOf = (value: string) => {
    try {
      return pathGiven("--file", value, linux.paths) === value ? "" : "changed";
    } catch (error) {
      assert.ok(isRekeyError(error, "usage"));
      return error.hint!;
    }
  };
  for (const value of ["~", "~x/f", " f", "'f", "%FOO%"]) {
    assert.match(hintOf(value), /put \.\/ before it$/, value);
    assert.equal(hintOf(`./${value}`), "", value);
  }
  for (const value of ["$f", "./$f", "./a$b/f", "/tmp/$f", "/x/~/y", "f ", "f'", "a%h"]) {
    assert.match(hintOf(value), /is like that, name a link to it$/, value);
  }
});
