import { scriptName } from "../src/boot/main.ts";
import { runDeno } from "./run_deno.ts";

/**
 * Libraries that only some commands load, each a script of its own with what rekey uses of it. A name that is missing here
 * is `undefined` in the binary.
 */
export const LIBRARIES = {
  "age-encryption": ["armor", "Decrypter", "Encrypter"],
  "hono/router/reg-exp-router": ["RegExpRouter"],
  jose: ["CompactEncrypt", "jwtVerify"],
  mustache: ["default"],
  "page-files": ["files"],
  "prom-client": ["default"],
  zod: [
    ...["array", "boolean", "enum", "int", "literal", "looseObject", "number", "object", "record"],
    ...["strictObject", "string", "toJSONSchema", "union", "unknown"],
  ],
};

/**
 * Bundles the program into minified files in `folder`: `main.js`, the main module; `program.js`, rekey's own code with
 * what each command needs; and a script for each of the {@linkcode LIBRARIES}. They start in a third of the time of
 * separate modules.
 */
export async function bundle(folder: string): Promise<void> {
  const external = Object.keys(LIBRARIES).flatMap((name) => ["--external", name]);
  await bundleOne("src/boot/main.ts", folder, "main", "esm");
  await bundleOne("src/cli/main.ts", folder, "program", "cjs", external);
  checkUsings(`${folder}/program.js`);
  requireLibraries(`${folder}/program.js`);
  for (const [name, used] of Object.entries(LIBRARIES)) {
    const entry = `${folder}/${scriptName(name)}.ts`;
    Deno.writeTextFileSync(entry, `export { ${used.join(", ")} } from "${name}";\n`);
    await bundleOne(entry, folder, scriptName(name), "cjs");
    Deno.removeSync(entry);
  }
}

async function bundleOne(
  entry: string,
  folder: string,
  name: string,
  format: "esm" | "cjs",
  more: string[] = [],
): Promise<void> {
  // The source maps list the bundled packages; they are not shipped.
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

/** How many names `using` declares in the sources, of which the minifier may lose some: see `core/closing.ts`. */
function usings(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}

function checkUsings(program: string): void {
  const declared = [...sourcesBelow("src")]
    .reduce((sum, path) => sum + usings(Deno.readTextFileSync(path), /^ *using \w+ =/gm), 0);
  const kept = usings(Deno.readTextFileSync(program), /\busing [\w$]+=/g);
  if (kept >= declared) return;
  throw new Error(`${program} closes ${kept} of ${declared} that \`using\` names: use closing()`);
}

function* sourcesBelow(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* sourcesBelow(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

// The bundler leaves `import()` of what is external, which a script cannot do.
function requireLibraries(path: string): void {
  const source = Deno.readTextFileSync(path);
  const required = source.replace(
    /\bimport\(("[^".]+")\)/g,
    (_, name) => `Promise.resolve().then(()=>require(${name}))`,
  );
  Deno.writeTextFileSync(path, required);
}

// With one character outside ASCII V8 stores the script with two bytes per character: 2 ms at each start.
function checkCharacters(path: string): void {
  const [odd] = /[^\0-\x7f]/.exec(Deno.readTextFileSync(path)) ?? [];
  if (odd === undefined) return;
  const code = odd.codePointAt(0)!.toString(16);
  throw new Error(`${path} has the character U+${code}: write it as an escape in the sources`);
}
