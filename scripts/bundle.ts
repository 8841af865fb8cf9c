import { scriptName } from "../src/boot/script.ts";
import { runDeno } from "./run_deno.ts";

/** Libraries that not every command loads, each with the file of `src/libraries` that says what of it is used. */
export const LIBRARIES = {
  "age-encryption": "age",
  "hono/router/reg-exp-router": "hono",
  jose: "jose",
  "prom-client": "prom_client",
  zod: "zod",
};

/**
 * Makes a few minified files of the program in `folder`: `main.js`, the first module; `program.js`, everything of
 * rekey's own with what every command needs; and a script for each of the {@linkcode LIBRARIES}. They start in a
 * third of the time that a graph of modules takes.
 */
export async function bundle(folder: string): Promise<void> {
  const external = Object.keys(LIBRARIES).flatMap((name) => ["--external", name]);
  await bundleOne("src/boot/main.ts", folder, "main", "esm");
  await bundleOne("src/cli/main.ts", folder, "program", "cjs", external);
  for (const [name, file] of Object.entries(LIBRARIES)) {
    await bundleOne(`src/libraries/${file}.ts`, folder, scriptName(name), "cjs");
  }
}

async function bundleOne(
  entry: string,
  folder: string,
  name: string,
  format: "esm" | "cjs",
  more: string[] = [],
): Promise<void> {
  // The maps tell whose code is in; they are not shipped.
  const flags = ["--quiet", "--platform", "deno", "--minify", "--sourcemap=external"];
  await runDeno(
    {},
    "bundle",
    ...flags,
    "--format",
    format,
    ...more,
    "--output",
    `${folder}/${name}.js`,
    entry,
  );
  checkCharacters(`${folder}/${name}.js`);
}

// One character that is not ASCII makes V8 keep the whole script in two bytes a character: 2 ms at each start.
function checkCharacters(path: string): void {
  const [odd] = /[^\0-\x7f]/.exec(Deno.readTextFileSync(path)) ?? [];
  if (odd === undefined) return;
  const code = odd.codePointAt(0)!.toString(16);
  throw new Error(`${path} has the character U+${code}: write it as an escape in the sources`);
}
