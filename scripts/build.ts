/**
 * Builds `dist/rekey`: one executable with the program, the runtime and the keyring addon. With `--traced`
 * it builds `dist/rekey-traced` instead, for the hunt for leaks: see `traced.ts`.
 */
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { PERMISSIONS } from "./permissions.ts";
import { findDenort } from "./denort.ts";
import { traced } from "./traced.ts";

const ROOT = join(import.meta.dirname!, "..");
const TRACED = Deno.args.includes("--traced");
const NAME = TRACED ? "rekey-traced" : "rekey";
// Folders of their own, so that neither build finds the other's parts.
const PARTS = TRACED ? "dist/build-traced" : "dist/build";

Deno.chdir(ROOT);
await Deno.mkdir(PARTS, { recursive: true });
// Parts of an older build would be taken in.
await Deno.remove(PARTS, { recursive: true });
await Deno.mkdir(PARTS);
await bundle();
if (TRACED) await trace();
await copyAddon();
await compile();
const { size } = await Deno.stat(`dist/${NAME}`);
report(`dist/${NAME}: ${(size / 1e6).toFixed(1)} MB`);

// A few minified files start in a good half of the time that a graph of modules takes, and what one command
// alone needs is a file of its own: with all in one file every start would take a third longer.
async function bundle(): Promise<void> {
  await deno(
    {},
    "bundle",
    "--quiet",
    "--platform",
    "deno",
    "--minify",
    "--code-splitting",
    "--outdir",
    PARTS,
    "main.ts",
  );
}

async function trace(): Promise<void> {
  let done = 0;
  for (const path of parts().filter((path) => path.endsWith(".js"))) {
    const script = await Deno.readTextFile(path);
    const changed = traced(script);
    if (changed === undefined) continue;
    await Deno.writeTextFile(path, changed);
    done++;
  }
  if (done !== 1) throw new Error(`${done} parts make secrets: mend scripts/traced.ts`);
}

/** Puts the addon and its SHA-256 beside the bundle, where `src/store/keyring_addon.ts` looks. */
async function copyAddon(): Promise<void> {
  const content = await Deno.readFile(addonPath());
  const sha256 = createHash("sha256").update(content).digest("hex");
  await Deno.writeFile(`${PARTS}/keyring.node`, content);
  await Deno.writeTextFile(`${PARTS}/keyring.node.sha256`, `${sha256}\n`);
}

// From Deno's own npm cache, where deno.lock has decided which version it is.
function addonPath(): string {
  const require = createRequire(import.meta.resolve("@napi-rs/keyring"));
  const { os, arch } = Deno.build;
  const name = `${os === "windows" ? "win32" : os}-${arch === "x86_64" ? "x64" : "arm64"}`;
  const abi = { linux: "-gnu", windows: "-msvc" }[os as string] ?? "";
  return require.resolve(`@napi-rs/keyring-${name}${abi}`);
}

async function compile(): Promise<void> {
  const denort = await findDenort();
  await fixTimes();
  report(
    `denort: ${denort === undefined ? "downloaded by Deno" : "given or from its npm package"}`,
  );
  await deno(
    denort === undefined ? {} : { DENORT_BIN: denort },
    ...["compile", "--quiet", "--no-check", "--no-code-cache", "--no-prompt", "--no-config"],
    // For datagrams to systemd.
    "--unstable-net",
    ...PERMISSIONS.map(([flag]) => flag),
    ...["--include", PARTS, "--output", `dist/${NAME}.new`, `${PARTS}/main.js`],
  );
  // In one step, so that whoever runs it meanwhile finds the old one or the new one.
  await Deno.rename(`dist/${NAME}.new`, `dist/${NAME}`);
}

// `deno compile` records when each file was written: with a fixed time the same sources make the same bytes.
async function fixTimes(): Promise<void> {
  const time = new Date("2000-01-01T00:00:00Z");
  for (const path of parts()) await Deno.utime(path, time, time);
}

/** What goes into the executable. */
function parts(): string[] {
  return [...Deno.readDirSync(PARTS)].map(({ name }) => `${PARTS}/${name}`);
}

async function deno(env: Record<string, string>, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), { args, env, stdin: "null" })
    .output();
  if (success) return;
  report(`Failed: deno ${args[0]}`);
  Deno.exit(1);
}

function report(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
}
