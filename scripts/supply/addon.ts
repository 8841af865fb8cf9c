import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Addon } from "../../src/cli/commands/version.ts";
import { checkIntegrity, kept, packageArchive, unpack } from "../downloads.ts";
import { HOST, nameOf } from "../target.ts";
import { vendoredIn } from "./crates.ts";
import { locked, type Lockfile, readLock } from "./lockfile.ts";
import { described, type Unpacked, unpackedOf } from "./packages.ts";
import { textOf } from "./texts.ts";

// From Deno's own npm cache, where deno.lock has decided which version it is.
const require = createRequire(import.meta.resolve("@napi-rs/keyring"));

/** The keyring addon for a kind of machine. */
export interface AddonFiles {
  /** The library itself. */
  readonly path: string;
  /** The package that it is the only file of. */
  readonly binary: Unpacked;
  /** The package that the project names, which has the licence's text. */
  readonly main: Unpacked;
}

/** Where the addon is; one for another kind of machine is downloaded. @throws {Error} unless it is the locked one. */
export async function addonFiles(target: string): Promise<AddonFiles> {
  const main = unpackedOf([require.resolve("@napi-rs/keyring")], "/nowhere")[0]!;
  const abi = { linux: "-gnu", windows: "-msvc" }[nameOf(target).split("-")[0]!] ?? "";
  const name = `@napi-rs/keyring-${nameOf(target).replace("windows", "win32")}${abi}`;
  if (target !== HOST) return { main, ...await downloaded(name, main.version) };
  const path = require.resolve(name);
  const [binary] = unpackedOf([path], "/nowhere");
  return { path, binary: binary!, main };
}

// Deno keeps only what is for this machine.
async function downloaded(name: string, version: string) {
  const { integrity } = locked(await readLock(), name, version);
  const archive = await kept(
    `${name.replace("/", "-")}-${version}.tgz`,
    (content) => checkIntegrity(content, integrity),
    () => packageArchive(`${name}@${version}`),
  );
  const folder = join("dist/packages", name);
  await unpack(archive, folder);
  const binary: Unpacked = { name, version, folder: join(folder, "package") };
  const { main } = JSON.parse(await Deno.readTextFile(join(binary.folder, "package.json")));
  return { path: join(binary.folder, main), binary };
}

/** What is known of it. @throws {Error} when something in it has a licence that is not allowed. */
export function describedAddon({ path, binary }: AddonFiles, lock: Lockfile): Addon {
  const sha256 = createHash("sha256").update(Deno.readFileSync(path)).digest("hex");
  const libraries = vendoredIn(textOf(dirname(path)));
  return { ...described([binary], lock)[0]!, sha256, libraries };
}
