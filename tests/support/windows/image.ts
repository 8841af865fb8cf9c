import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { CAN_MOUNT, installed, unless } from "../faults/faults.ts";
import { ARCHIVE_KEYS, must, unpackDebian } from "./debian.ts";
import { Machine, type Shared } from "./machine.ts";

/** Who uses Windows here: a name that is harder than most. */
export const USER = "Jörg Groß";

/** What Wine is told by its environment. */
export const WINE_ENV: Readonly<Record<string, string>> = {
  LC_ALL: "C.UTF-8",
  WINEPREFIX: "/windows",
  WINESERVER: "/usr/lib/wine/wineserver64",
  WINEDEBUG: "-all",
  // Neither .NET nor a browser is asked for, and no debugger when a program crashes.
  WINEDLLOVERRIDES: "mscoree,mshtml,winedbg.exe=",
};

/** Wine itself. */
export const WINE = "/usr/lib/wine/wine64";

// Debian 13 has Wine 10; coreutils and dash are for libwine's own last step of an installation.
const [RELEASE, PACKAGES] = ["trixie", ["wine64", "libc-bin", "coreutils", "dash"]] as const;

// Folders of the image: the machine that was set up, and in it Windows itself.
const TEMPLATE = "template";
const SYSTEM = "drive_c/windows";

/** What the tests for Windows need, when it is not there. */
const NEEDED = "root, and Wine from Debian's archive";

/** Why they cannot be run here, when they cannot. */
let refused: string | undefined;

/** Path of the image with Wine, `undefined` where it cannot be made. It is made once, and kept. */
export const IMAGE: string | undefined = await image();

/** `ignore` for a test that needs Windows. */
export function withoutWindows(): boolean {
  return unless(IMAGE !== undefined, refused === undefined ? NEEDED : `${NEEDED} (${refused})`);
}

async function image(): Promise<string | undefined> {
  if (!CAN_MOUNT || !installed("apt-get") || !existsSync(ARCHIVE_KEYS)) return;
  const folder = join(homedir(), ".cache", "rekey-build");
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `windows-${recipe()}`);
  // Several files of tests may begin at once.
  using lock = await Deno.open(join(folder, "windows.lock"), { create: true, write: true });
  await lock.lock(true);
  if (existsSync(path)) return path;
  await clear(folder);
  try {
    await make(`${path}.partial`);
    await Deno.rename(`${path}.partial`, path);
    return path;
  } catch (error) {
    refused = error instanceof Error ? error.message.split("\n")[0]! : String(error);
    await clear(folder);
  }
}

// What was left of one that was interrupted, and images of long ago: another one may be in use.
async function clear(folder: string): Promise<void> {
  const long = Date.now() - 7 * 86_400_000;
  for (const { name } of Deno.readDirSync(folder)) {
    if (!name.startsWith("windows-")) continue;
    const path = join(folder, name);
    const isOld = Deno.statSync(path).mtime!.getTime() < long;
    if (isOld || name.endsWith(".partial")) await Deno.remove(path, { recursive: true });
  }
}

/** Changes with what decides about the image. */
function recipe(): string {
  const hash = createHash("sha256");
  for (const name of ["debian.ts", "image.ts"]) {
    hash.update(Deno.readFileSync(join(import.meta.dirname!, name)));
  }
  return hash.digest("hex").slice(0, 12);
}

async function make(root: string): Promise<void> {
  await unpackDebian(root, RELEASE, PACKAGES);
  for (const name of ["dev", "proc", "tmp", "windows"]) await Deno.mkdir(join(root, name));
  await Deno.writeTextFile(join(root, "etc/passwd"), `${USER}:x:0:0::/:/bin/sh\n`);
  await using machine = await Machine.boot(root);
  const inside = async (program: string, ...args: string[]) => {
    const [first, ...rest] = machine.line("/", program, ...args);
    await must(first!, rest, { ...WINE_ENV, PATH: "/usr/bin:/bin", DISPLAY: "" });
  };
  await inside("/bin/sh", "/apt/libwine/postinst", "configure");
  await inside(WINE, "wineboot", "--init");
  // Nothing here has a screen.
  const key = "HKCU\\Software\\Wine\\Drivers";
  await inside(WINE, "reg", "add", key, "/v", "Graphics", "/d", "null", "/f");
  await inside(WINE_ENV.WINESERVER!, "--wait");
  await Deno.rename(join(root, "windows"), join(root, TEMPLATE));
  await Deno.mkdir(join(root, "windows"));
}

/**
 * A Windows machine like the one that was set up, on a disk of its own: an empty folder, which gets a copy of everything but
 * Windows itself.
 *
 * @param more what else it has: a file or folder of this machine, and where on its disk C:.
 */
export async function bootWindows(disk: string, ...more: Shared[]): Promise<Machine> {
  const image = IMAGE!;
  const template = join(image, TEMPLATE);
  const copy = 'cd "$0" && tar --exclude="./$2" -cf - . | tar -xf - -C "$1"';
  await must("sh", ["-ec", copy, template, disk, SYSTEM]);
  await Deno.mkdir(join(disk, SYSTEM));
  for (const [from, to] of more) await placeFor(from, join(disk, "drive_c", to));
  return await Machine.boot(image, [
    [disk, "windows"],
    [join(template, SYSTEM), `windows/${SYSTEM}`],
    ...more.map(([from, to]): Shared => [from, `windows/drive_c/${to}`]),
  ]);
}

// Something can only be mounted over something.
async function placeFor(from: string, to: string): Promise<void> {
  await Deno.mkdir(dirname(to), { recursive: true });
  if (Deno.statSync(from).isDirectory) await Deno.mkdir(to);
  else await Deno.writeFile(to, new Uint8Array());
}
