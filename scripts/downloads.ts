/** Downloads from the npm registry that Deno does not do itself: by the npm client, cached and verified. */
import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";
import { must } from "./program.ts";

/**
 * Path of a file that is downloaded once and cached in a folder of the user. `check` throws for wrong content, also of
 * the cached file.
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
  // A unique name: two builds may run at once.
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
    throw new Error(`${why}. The cached file ${path} is wrong: delete it`, { cause });
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

/** @throws {Error} unless the archive has the integrity in `deno.lock`. */
export function checkIntegrity(archive: Uint8Array, integrity: string): void {
  const found = `sha512-${createHash("sha512").update(archive).digest("base64")}`;
  if (found !== integrity) {
    throw new Error(`Cannot use the package: its hash is ${found}, deno.lock has ${integrity}`);
  }
}

/** Unpacks an archive into a folder, which it deletes first. */
export async function unpack(archive: string, folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await Deno.mkdir(folder, { recursive: true });
  await run("tar", ["-xzf", archive, "-C", folder]);
}

/** Path of Deno in a version, which may differ from the one that runs this script. */
export async function denoOf(version: string): Promise<string> {
  if (version === Deno.version.deno) return Deno.execPath();
  const args = ["exec", "--yes", "--loglevel=error", `--package=deno@${version}`];
  return (await run("npm", [...args, "-c", "command -v deno"])).trim();
}

function run(command: string, args: string[], cwd = Deno.cwd()): Promise<string> {
  return must(command, args, { cwd, stderr: "inherit" });
}
