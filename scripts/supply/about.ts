import { createHash } from "node:crypto";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import type { About, LicenseText } from "../../src/cli/about.ts";
import { elfLength } from "../denort.ts";
import { addonFiles, describedAddon } from "./addon.ts";
import { origin } from "./commit.ts";
import { cratesIn } from "./crates.ts";
import type { Lockfile } from "./lockfile.ts";
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
  denort: string | undefined,
): Promise<void> {
  const lock: Lockfile = JSON.parse(await Deno.readTextFile("deno.lock"));
  const unpacked = unpackedOf(sources, Deno.cwd());
  const dependencies = described(unpacked, lock);
  const files = addonFiles();
  const addon = describedAddon(files, lock);
  if (Deno.build.os === "linux") checkCrates(files.path, files.binary.folder);
  const about: About = {
    ...await origin(),
    denort: { version: Deno.version.deno, sha256: await denortHash(denort) },
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
  const packed = deflateSync(json([...runtimeTexts(), ...texts]), { level: 9 });
  await Deno.writeFile(join(folder, "licenses.json.deflate"), packed);
}

function checkCrates(addon: string, folder: string): void {
  cratesIn(Deno.readFileSync(addon), textOf(folder));
}

// The runtime's package has no licences in it; SQLite is in the public domain and asks for nothing.
function runtimeTexts(): LicenseText[] {
  const text = (name: string) => Deno.readTextFileSync(join(LICENSES, name)).trim();
  return [
    { of: [`Deno ${Deno.version.deno}`], license: "MIT", text: text("deno.txt") },
    { of: [`V8 ${Deno.version.v8}`], license: "BSD-3-Clause", text: text("v8.txt") },
  ];
}

// Deno keeps its own download packed: an empty program shows it.
async function denortHash(path: string | undefined): Promise<string | null> {
  if (path !== undefined) return hashOf(await Deno.readFile(path));
  if (Deno.build.os !== "linux") return null;
  const folder = await Deno.makeTempDir({ prefix: "rekey-build-" });
  try {
    const [script, program] = [join(folder, "empty.js"), join(folder, "empty")];
    await Deno.writeTextFile(script, "");
    const args = ["compile", "--quiet", "--no-check", "--no-config", "--output", program, script];
    await new Deno.Command(Deno.execPath(), { args, cwd: folder, stdin: "null" }).output();
    const compiled = await Deno.readFile(program);
    return hashOf(compiled.subarray(0, elfLength(compiled)));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function hashOf(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
