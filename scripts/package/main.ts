/**
 * The packages of a binary: `deno run --allow-all scripts/package/main.ts BINARY FOLDER` writes a `.tar.gz` (a
 * `.zip` for Windows) and for Linux a `.deb`, and prints their names. With `--quick` they are larger, for a test. The same binary and time make the same bytes.
 */
import { join } from "node:path";
import { HOST, nameOf } from "../target.ts";
import { archiveFiles, type Ingredients, type System } from "./contents.ts";
import { makeDebian } from "./debian.ts";
import { lay, run } from "./stage.ts";
import { zipped } from "./zip.ts";
import { must } from "../program.ts";

/** Writes the packages into a folder. @param target such as `linux-x64`. @returns their names. */
export async function makePackages(
  ingredients: Ingredients,
  target: string,
  folder: string,
): Promise<string[]> {
  const stage = Deno.makeTempDirSync({ prefix: "rekey-package-" });
  try {
    const archive = await makeArchive(ingredients, target, stage, folder);
    if (!target.startsWith("linux-")) return [archive];
    return [archive, await makeDebian(ingredients, target, stage, folder)];
  } finally {
    Deno.removeSync(stage, { recursive: true });
  }
}

async function makeArchive(
  ingredients: Ingredients,
  target: string,
  stage: string,
  folder: string,
): Promise<string> {
  const { version, time, quick } = ingredients;
  const name = `rekey-${version}`;
  const system = target.split("-")[0] as System;
  const files = await archiveFiles(ingredients, system);
  if (system === "windows") {
    const file = `${name}-${target}.zip`;
    const inFolder = new Map([...files].map(([path, packed]) => [`${name}/${path}`, packed]));
    Deno.writeFileSync(join(folder, file), zipped(inFolder, time, quick ? 0 : 6));
    return file;
  }
  lay(join(stage, name), files, time);
  const file = `${name}-${target}.tar.gz`;
  const fixed = ["--sort=name", `--mtime=@${time}`, "--owner=root:0", "--group=root:0"];
  const line = ["--format=gnu", ...fixed, "-C", stage, "-cf", join(stage, "a.tar"), name];
  await run("tar", line);
  await run("gzip", ["-n", quick ? "-1" : "-6", join(stage, "a.tar")]);
  Deno.copyFileSync(join(stage, "a.tar.gz"), join(folder, file));
  return file;
}

if (import.meta.main) {
  const quick = Deno.args.includes("--quick");
  const [binary, folder] = Deno.args.filter((arg) => arg !== "--quick") as [string, string];
  const ask = (...args: string[]) => must(binary, args);
  const { version } = JSON.parse(await ask("version", "--json"));
  const licenses = await ask("version", "--licenses");
  const time = Number(Deno.env.get("SOURCE_DATE_EPOCH") ?? 0);
  const ingredients = { binary: Deno.readFileSync(binary), licenses, version, time, quick };
  for (const name of await makePackages(ingredients, nameOf(HOST), folder)) {
    Deno.stdout.writeSync(new TextEncoder().encode(`${name}\n`));
  }
}
