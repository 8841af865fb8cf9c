/**
 * Builds `dist/rekey`: one executable with the program, the runtime and the keyring addon. With a target such as
 * `windows-x64` it builds `dist/rekey-windows-x64.exe`; with `--traced` it builds `dist/rekey-traced`, for the leak tests:
 * see `traced.ts`.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { scriptName } from "../src/boot/main.ts";
import { bundle, LIBRARIES } from "./bundle.ts";
import { FOREIGN_SCRIPT, LATE_SCRIPTS, PROGRAM_SCRIPTS } from "./chunks.ts";
import { addCode } from "./code_cache.ts";
import { compile, V8_FLAGS } from "./compile.ts";
import { appendFiles } from "./appended_files.ts";
import { findToolchain } from "./denort.ts";
import { roundUpImage } from "./denort/pe.ts";
import { permissionFlags } from "./permissions.ts";
import { writeAbout } from "./supply/about.ts";
import { addonFiles } from "./supply/addon.ts";
import { takeSources } from "./supply/sources.ts";
import { binaryNameOf, HOST, nameOf, partsOf, targetNamed } from "./target.ts";
import { traced } from "./traced.ts";

const ROOT = join(import.meta.dirname!, "..");
const TRACED = Deno.args.includes("--traced");
const TARGET = targetNamed(Deno.args.find((arg) => !arg.startsWith("--")) ?? nameOf(HOST));
const NAME = binaryNameOf(TARGET, TRACED ? "-traced" : "");
const UNFINISHED = `dist/unfinished-${NAME}`;
// Separate folders, so that builds do not use each other's parts.
const PARTS = partsOf(NAME);

Deno.chdir(ROOT);
await Deno.mkdir(PARTS, { recursive: true });
// The binary would contain parts of an older build.
await Deno.remove(PARTS, { recursive: true });
await Deno.mkdir(PARTS);
await bundle(PARTS);
const sources = await takeSources(PARTS);
if (TRACED) await trace();
// V8 rejects a code cache from another target.
if (TARGET === HOST) await addCode(PARTS);
const addon = await addonFiles(TARGET);
const toolchain = await findToolchain(TARGET);
await copyAddon();
// Rotations load jose.
for (const name of Object.keys(LIBRARIES).filter((name) => name !== "jose")) {
  await pack(`${PARTS}/${scriptName(name)}.js`);
}
await writeAbout(PARTS, sources, addon, toolchain);
await fixTimes();
if (!await compiledWithAppended()) {
  for (const script of LATE_SCRIPTS) await pack(`${PARTS}/${script}.js`);
  await compileParts();
}
if (TARGET.includes("windows")) await alignImage(UNFINISHED);
// Atomically, so that a running command finds the old or the new binary.
await Deno.rename(UNFINISHED, `dist/${NAME}`);
const { size } = await Deno.stat(`dist/${NAME}`);
report(`dist/${NAME}: ${(size / 1e6).toFixed(1)} MB`);

async function trace(): Promise<void> {
  for (const script of PROGRAM_SCRIPTS) {
    const path = `${PARTS}/${script}.js`;
    const changed = traced(await Deno.readTextFile(path));
    if (changed !== undefined) return await Deno.writeTextFile(path, changed);
  }
  throw new Error("Cannot find Secret.generate: update scripts/traced.ts");
}

/** Whether the addon, the scripts that no start reads and all of V8's code are appended, which needs ELF. */
async function compiledWithAppended(): Promise<boolean> {
  if (!TARGET.includes("linux")) return false;
  const code = [...Deno.readDirSync(PARTS)].map(({ name }) => name)
    .filter((name) => name.endsWith(".code")).sort();
  const scripts = [...LATE_SCRIPTS, FOREIGN_SCRIPT].map((name) => `${name}.js`);
  const paths = ["keyring.node.br", ...scripts, ...code].map((name) => `${PARTS}/${name}`);
  await compileParts(...paths.flatMap((path) => ["--exclude", path]));
  return await appendFiles(UNFINISHED, paths);
}

async function compileParts(...more: string[]): Promise<void> {
  await compile(`${PARTS}/main.js`, UNFINISHED, [
    ...permissionFlags(toolchain.version),
    V8_FLAGS,
    // For threads that share a port.
    "--unstable-net",
    ...["--include", PARTS, ...more],
  ], TARGET);
}

async function alignImage(path: string): Promise<void> {
  const executable = await Deno.readFile(path);
  roundUpImage(executable);
  await Deno.writeFile(path, executable);
}

/** Compresses the addon, and writes its SHA-256 where `src/store/keyring/addon.ts` reads it. */
async function copyAddon(): Promise<void> {
  const content = await Deno.readFile(addon.path);
  const sha256 = createHash("sha256").update(content).digest("hex");
  await Deno.writeFile(`${PARTS}/keyring.node`, content);
  await pack(`${PARTS}/keyring.node`);
  await Deno.writeTextFile(`${PARTS}/keyring.node.sha256`, `${sha256}\n`);
}

/** Replaces a file by a compressed one. Each start reads all embedded files, a millisecond for each MB. */
async function pack(path: string): Promise<void> {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 9 };
  await Deno.writeFile(`${path}.br`, brotliCompressSync(await Deno.readFile(path), { params }));
  await Deno.remove(path);
}

// `deno compile` records modification times: fixed ones make the build reproducible.
async function fixTimes(): Promise<void> {
  const time = new Date("2000-01-01T00:00:00Z");
  for await (const { name } of Deno.readDir(PARTS)) {
    await Deno.utime(`${PARTS}/${name}`, time, time);
  }
}

function report(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
}
