import { createHash } from "node:crypto";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import type { About, LicenseText } from "../../src/cli/commands/version.ts";
import type { Toolchain } from "../denort.ts";
import { downloadedHash } from "../denort/own_download.ts";
import { runDeno } from "../run_deno.ts";
import { type AddonFiles, describedAddon } from "./addon.ts";
import { origin } from "./commit.ts";
import { cratesIn } from "./crates.ts";
import { readLock } from "./lockfile.ts";
import { described, unpackedOf } from "./packages.ts";
import { textOf, textsOf } from "./texts.ts";

const LICENSES = join(import.meta.dirname!, "../licenses");

/**
 * Writes `about.json` and the licences beside the program, where `rekey version` looks.
 *
 * @param sources all files whose code is in the program.
 * @throws {Error} when a part has no licence, or one that is not allowed.
 */
export async function writeAbout(
  folder: string,
  sources: readonly string[],
  files: AddonFiles,
  toolchain: Toolchain,
): Promise<void> {
  const lock = await readLock();
  const unpacked = unpackedOf(sources, Deno.cwd());
  const dependencies = described(unpacked, lock);
  const addon = describedAddon(files, lock);
  checkCrates(files.path, files.binary.folder);
  const runtime = await versionsOf(toolchain);
  const about: About = {
    ...await origin(),
    denort: { version: runtime.deno, sha256: await denortHash(toolchain) },
    addon,
    dependencies,
  };
  const native = [files.main, files.binary].map((one) => ({ ...one, license: addon.license }));
  const texts = textsOf([
    ...unpacked.map((one, index) => ({ ...one, license: dependencies[index]!.license })),
    ...native,
  ]);
  const json = (content: unknown) => new TextEncoder().encode(JSON.stringify(content));
  await Deno.writeFile(join(folder, "about.json"), json(about));
  // Packed, since every start goes through all that is embedded: 300 KB more take it a millisecond longer.
  const packed = deflateSync(json([...runtimeTexts(runtime), ...texts]), { level: 9 });
  await Deno.writeFile(join(folder, "licenses.json.deflate"), packed);
}

function checkCrates(addon: string, folder: string): void {
  cratesIn(Deno.readFileSync(addon), textOf(folder));
}

// The runtime's package has no licences in it; SQLite is in the public domain and asks for nothing.
function runtimeTexts({ deno, v8 }: Versions): LicenseText[] {
  const text = (name: string) => Deno.readTextFileSync(join(LICENSES, name)).trim();
  return [
    { of: [`Deno ${deno}`], license: "MIT", text: text(`deno-${deno}.txt`) },
    { of: [`V8 ${v8}`], license: "BSD-3-Clause", text: text("v8.txt") },
  ];
}

type Versions = Pick<typeof Deno.version, "deno" | "v8">;

// Of denort, which has those of its Deno and cannot be asked where it does not run.
async function versionsOf({ deno }: Toolchain): Promise<Versions> {
  return JSON.parse(await runDeno({ deno }, "eval", "console.log(JSON.stringify(Deno.version))"));
}

/** SHA-256 of a target's denort; `null` when it cannot be told. */
export async function denortHash({ target, denort }: Toolchain): Promise<string | null> {
  if (denort === undefined) return await downloadedHash(target) ?? null;
  return createHash("sha256").update(await Deno.readFile(denort)).digest("hex");
}
