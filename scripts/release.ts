/**
 * `deno task release`: builds the current commit for each target with a pinned runtime, and writes binaries, packages,
 * bills of materials, the installer and hashes to `dist/release`. `deno task release linux-x64` does that for one target,
 * with the same files. With `--quick` packages are compressed little, for a test.
 */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import config from "../deno.json" with { type: "json" };
import { findToolchain, pinFor } from "./denort.ts";
import { makePackages } from "./package/main.ts";
import { denortHash } from "./supply/about.ts";
import { addonFiles } from "./supply/addon.ts";
import { commitTime, origin } from "./supply/commit.ts";
import { cratesIn } from "./supply/crates.ts";
import { type Facts, sbom } from "./supply/sbom.ts";
import { textOf } from "./supply/texts.ts";
import {
  binaryNameOf,
  executableName,
  HOST,
  nameOf,
  partsOf,
  PINNED,
  targetNamed,
} from "./target.ts";
import { run } from "./program.ts";

const RELEASE = "dist/release";
const INSTALLER = "install.sh";
const QUICK = Deno.args.includes("--quick");
const NAMED = Deno.args.filter((arg) => arg !== "--quick").map(targetNamed);
const TARGETS = NAMED.length === 0 ? PINNED : NAMED;

/** A binary and its entry in the release. */
interface Made {
  readonly target: string;
  readonly path: string;
  readonly facts: Facts;
  readonly licenses: string;
}

Deno.chdir(join(import.meta.dirname!, ".."));
// On another target the binary would lack V8's code cache.
if (nameOf(HOST) !== "linux-x64") fail("a release is made on linux-x64");
const { commit, modified } = await origin();
if (commit === null || modified) {
  fail("the files here are not those of a commit: no one could build the same again");
}
await Deno.remove(RELEASE, { recursive: true }).catch(() => {});
const all: Made[] = [];
// Checks come before the first file of the release is written.
for (const target of TARGETS) all.push(await make(target));
await Deno.mkdir(RELEASE);
await Deno.copyFile(join("scripts/package", INSTALLER), join(RELEASE, INSTALLER));
const files = [...(await Promise.all(all.map(release))).flat(), INSTALLER];
const sums = files.map((name) => `${sha256(join(RELEASE, name))}  ${name}\n`);
await Deno.writeTextFile(join(RELEASE, "SHA256SUMS"), sums.join(""));
for (const { name } of Deno.readDirSync(RELEASE)) print(join(RELEASE, name));

async function make(target: string): Promise<Made> {
  // A build takes a while; what it has made is asked again.
  checkRuntime(target, await denortHash(await findToolchain(target)));
  await ran(Deno.execPath(), "run", "--allow-all", "scripts/build.ts", nameOf(target));
  const name = binaryNameOf(target);
  const path = join("dist", name);
  const ask = await asked(target, path, partsOf(name));
  const facts = await factsOf(target, path, ask);
  return { target, path, facts, licenses: await ask("--licenses") };
}

/** Writes the files for a binary. @returns their names. */
async function release({ target, path, facts, licenses }: Made): Promise<string[]> {
  const name = executableName(`rekey-${config.version}-${nameOf(target)}`, target);
  const bill = `rekey-${config.version}-${nameOf(target)}.cdx.json`;
  await Deno.copyFile(path, join(RELEASE, name));
  const document = JSON.stringify(sbom(facts), null, 2);
  await Deno.writeTextFile(join(RELEASE, bill), `${document}\n`);
  const { version, time } = facts;
  const ingredients = { binary: Deno.readFileSync(path), licenses, version, time, quick: QUICK };
  return [name, bill, ...await makePackages(ingredients, nameOf(target), RELEASE)];
}

/** `rekey version` of a binary; for another target, of its program on the same version of Deno. */
async function asked(target: string, path: string, parts: string) {
  const { deno } = await findToolchain(target);
  const line = target === HOST
    ? [path]
    : [deno, "run", "--quiet", "--no-config", "--allow-all", join(parts, "main.js")];
  return (flag: string) => ran(line[0]!, ...line.slice(1), "version", flag);
}

/** Facts that the binary reports, and facts about its file. */
async function factsOf(
  target: string,
  binary: string,
  ask: (flag: string) => Promise<string>,
): Promise<Facts> {
  const about = JSON.parse(await ask("--json"));
  checkRuntime(target, about.denort.sha256);
  const { path } = await addonFiles(target);
  return {
    about,
    version: about.version,
    runtime: about.runtime,
    sqlite: about.sqlite,
    sha256: sha256(binary),
    crates: cratesIn(Deno.readFileSync(path), textOf(dirname(path))),
    bundler: Deno.version.deno,
    direct: new Set(Object.keys(config.imports)),
    time: Number(Deno.env.get("SOURCE_DATE_EPOCH") ?? await commitTime()),
  };
}

// A build may use any runtime that DENORT_BIN names; a release must use one that others can download.
function checkRuntime(target: string, sha256: string | null): void {
  if (sha256 !== pinFor(target)?.sha256) {
    fail(`denort is not the pinned one: its SHA-256 is ${sha256}`);
  }
}

async function ran(command: string, ...args: string[]): Promise<string> {
  const { code, stdout } = await run(command, args, { stderr: "inherit" });
  if (code !== 0) fail(`${command} ${args.join(" ")}`);
  return stdout;
}

function sha256(path: string): string {
  return createHash("sha256").update(Deno.readFileSync(path)).digest("hex");
}

function print(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
}

function fail(text: string): never {
  print(`Failed: ${text}`);
  Deno.exit(1);
}
