/**
 * `deno task release`: builds the binary of the commit that is checked out, and writes it to `dist/release` with its
 * packages, its bill of materials and the hashes of all.
 */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import config from "../deno.json" with { type: "json" };
import { makePackages } from "./package/main.ts";
import { addonFiles } from "./supply/addon.ts";
import { commitTime, origin } from "./supply/commit.ts";
import { cratesIn } from "./supply/crates.ts";
import { type Facts, sbom } from "./supply/sbom.ts";
import { textOf } from "./supply/texts.ts";
import pins from "./pins.json" with { type: "json" };

const RELEASE = "dist/release";

Deno.chdir(join(import.meta.dirname!, ".."));
const { commit, modified } = await origin();
if (commit === null || modified) {
  fail("the files here are not those of a commit: nobody could build the same again");
}
await run(Deno.execPath(), "run", "--allow-all", "scripts/build.ts");
const { os, arch } = Deno.build;
const name = `rekey-${config.version}`;
const target = `${os}-${arch === "x86_64" ? "x64" : "arm64"}`;
const binary = `${name}-${target}`;
const bill = `${name}.cdx.json`;
// Whatever is refused is refused before anything is there to be given away.
await Deno.remove(RELEASE, { recursive: true }).catch(() => {});
const known = await facts("dist/rekey");
const document = sbom(known);
await Deno.mkdir(RELEASE);
await Deno.copyFile("dist/rekey", join(RELEASE, binary));
await Deno.writeTextFile(join(RELEASE, bill), `${JSON.stringify(document, null, 2)}\n`);
const licenses = await run("dist/rekey", "version", "--licenses");
const ingredients = { ...known, binary: Deno.readFileSync("dist/rekey"), licenses };
const packages = await makePackages(ingredients, target, RELEASE);
const sums = [binary, bill, ...packages].map((name) => `${sha256(join(RELEASE, name))}  ${name}\n`);
await Deno.writeTextFile(join(RELEASE, "SHA256SUMS"), sums.join(""));
for (const { name } of Deno.readDirSync(RELEASE)) print(join(RELEASE, name));

/** What the binary says of itself, and what can only be seen from outside. */
async function facts(binary: string): Promise<Facts> {
  const about = JSON.parse(await run(binary, "version", "--json"));
  checkRuntime(about.denort.sha256);
  const { path } = addonFiles();
  return {
    about,
    version: about.version,
    runtime: about.runtime,
    sqlite: about.sqlite,
    sha256: sha256(binary),
    crates: os === "linux" ? cratesIn(Deno.readFileSync(path), textOf(dirname(path))) : [],
    direct: new Set(Object.keys(config.imports)),
    time: Number(Deno.env.get("SOURCE_DATE_EPOCH") ?? await commitTime()),
  };
}

// A build takes whatever runtime DENORT_BIN names; what is given to others must be what they can get too.
function checkRuntime(sha256: string | null): void {
  const pin = (pins.denort as Record<string, { sha256: string }>)[Deno.build.target];
  if (sha256 !== pin?.sha256) fail(`denort is not the pinned one: its SHA-256 is ${sha256}`);
}

async function run(command: string, ...args: string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command(command, { args, stderr: "inherit" }).output();
  if (!success) fail(`${command} ${args.join(" ")}`);
  return new TextDecoder().decode(stdout);
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
