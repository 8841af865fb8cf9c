/** What the build takes from the npm registry beyond what Deno itself does: by the npm client, kept, and checked. */
import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";
import { must } from "./program.ts";

/**
 * Path of a file that is downloaded once and kept in a folder of the user's own. `check` throws for a content that is
 * not the right one; it looks at what was kept as well.
 */
export async function kept(
  name: string,
  check: (content: Uint8Array) => void,
  download: () => Promise<Uint8Array>,
  folder = join(homedir(), ".cache", "rekey-build"),
): Promise<string> {
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, name);
  const before = await Deno.readFile(path).catch(() => undefined);
  if (before !== undefined) {
    checkKept(path, () => check(before));
    return path;
  }
  const content = await download();
  check(content);
  // Of a name of its own: two builds may be at it.
  const partial = `${path}.${Deno.pid}.partial`;
  await Deno.writeFile(partial, content, { mode: 0o700 });
  await Deno.rename(partial, path);
  return path;
}

function checkKept(path: string, check: () => void): void {
  try {
    check();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${why}. It is not what was kept in ${path}: delete that`, { cause });
  }
}

/** The archive of a package. @param id `name@version`. */
export async function packageArchive(id: string): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir({ prefix: "rekey-build-" });
  try {
    await run("npm", ["pack", "--silent", "--ignore-scripts", id], folder);
    const [archive] = [...Deno.readDirSync(folder)].map(({ name }) => name);
    return await Deno.readFile(join(folder, archive ?? ""));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** @throws {Error} unless the archive is the one that an integrity of `deno.lock` tells of. */
export function checkIntegrity(archive: Uint8Array, integrity: string): void {
  const found = `sha512-${createHash("sha512").update(archive).digest("base64")}`;
  if (found !== integrity) throw new Error(`Refused a package of ${found}: locked is ${integrity}`);
}

/** Unpacks an archive into a new folder; an old one is deleted. */
export async function unpack(archive: string, folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await Deno.mkdir(folder, { recursive: true });
  await run("tar", ["-xzf", archive, "-C", folder]);
}

/** Path of the Deno of a version, which may be another than the one that runs this. */
export async function denoOf(version: string): Promise<string> {
  if (version === Deno.version.deno) return Deno.execPath();
  const args = ["exec", "--yes", "--loglevel=error", `--package=deno@${version}`];
  return (await run("npm", [...args, "-c", "command -v deno"])).trim();
}

function run(command: string, args: string[], cwd = Deno.cwd()): Promise<string> {
  return must(command, args, { cwd, stderr: "inherit" });
}
