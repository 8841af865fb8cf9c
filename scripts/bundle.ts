import { scriptName } from "../src/boot/main.ts";
import { chunkNames, joined, PROGRAM_SCRIPTS, scriptsOfChunks, sourcesOf } from "./chunks.ts";
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
 * Bundles the program into minified files in `folder`: `main.js`, the main module; a script for each of the
 * {@linkcode PROGRAM_SCRIPTS}, rekey's own code with what each command needs; and a script for each of the
 * {@linkcode LIBRARIES}. They start in a third of the time of separate modules.
 */
export async function bundle(folder: string): Promise<void> {
  await bundleOne("src/boot/main.ts", folder, "main", "esm");
  await bundleProgram(folder);
  for (const [name, used] of Object.entries(LIBRARIES)) {
    const entry = `${folder}/${scriptName(name)}.ts`;
    Deno.writeTextFileSync(entry, `export { ${used.join(", ")} } from "${name}";\n`);
    await bundleOne(entry, folder, scriptName(name), "cjs");
    Deno.removeSync(entry);
    const path = `${folder}/${scriptName(name)}.js`;
    Deno.writeTextFileSync(path, asFunction(Deno.readTextFileSync(path)));
  }
}

/** A script as `src/boot/main.ts` runs it. Here, since each start would copy the whole text to add this. */
function asFunction(script: string): string {
  return `(function(require,module,exports){${script}\n})`;
}

// The source maps list the bundled packages; they are not shipped.
const FLAGS = ["--quiet", "--platform", "deno", "--minify", "--sourcemap=external"];

/** Divides the program at each `import()`, and joins what is loaded together to scripts. */
async function bundleProgram(folder: string): Promise<void> {
  const chunks = `${folder}/chunks`;
  const external = Object.keys(LIBRARIES).flatMap((name) => ["--external", name]);
  const split = ["--code-splitting", "--format", "esm", "--outdir", chunks];
  await runDeno({}, "bundle", ...FLAGS, ...external, ...split, "src/cli/main.ts");
  usePlainPattern(chunks);
  const scripts = scriptsOfChunks(chunks);
  for (const script of PROGRAM_SCRIPTS) {
    const path = `${folder}/${script}.js`;
    Deno.writeTextFileSync(path, asFunction(joined(chunks, scripts, script)));
    const own = [...scripts.keys()].filter((name) => scripts.get(name) === script);
    Deno.writeTextFileSync(`${path}.map`, JSON.stringify({ sources: sourcesOf(chunks, own) }));
    checkCharacters(path);
  }
  checkUsings(PROGRAM_SCRIPTS.map((script) => `${folder}/${script}.js`));
  Deno.removeSync(chunks, { recursive: true });
}

const COMMANDERS_PATTERN = String.raw`/\p{ID_Continue}\.\.\.[>\]]$/u`;
const PLAIN_PATTERN = String.raw`/\w\.\.\.[>\]]$/`;

/**
 * Commander looks for a letter of any script before the `...` of an option's value. V8 takes three million instructions
 * to make that pattern, and rekey's command table is ASCII, as {@linkcode checkCharacters} sees to.
 */
function usePlainPattern(folder: string): void {
  const [path, ...others] = chunkNames(folder).map((name) => `${folder}/${name}.js`)
    .filter((path) => Deno.readTextFileSync(path).includes(COMMANDERS_PATTERN));
  if (path === undefined || others.length > 0) {
    throw new Error("Commander's pattern is not there once: update usePlainPattern()");
  }
  const text = Deno.readTextFileSync(path);
  Deno.writeTextFileSync(path, text.replace(COMMANDERS_PATTERN, () => PLAIN_PATTERN));
}

async function bundleOne(
  entry: string,
  folder: string,
  name: string,
  format: "esm" | "cjs",
): Promise<void> {
  const output = `${folder}/${name}.js`;
  await runDeno({}, "bundle", ...FLAGS, "--format", format, "--output", output, entry);
  checkCharacters(output);
}

/** How many names `using` declares in the sources, of which the minifier may lose some: see `core/closing.ts`. */
function usings(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}

function checkUsings(scripts: readonly string[]): void {
  const declared = [...sourcesBelow("src")]
    .reduce((sum, path) => sum + usings(Deno.readTextFileSync(path), /^ *using \w+ =/gm), 0);
  const kept = scripts
    .reduce((sum, path) => sum + usings(Deno.readTextFileSync(path), /\busing [\w$]+=/g), 0);
  if (kept >= declared) return;
  throw new Error(`The program closes ${kept} of ${declared} that \`using\` names: use closing()`);
}

function* sourcesBelow(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* sourcesBelow(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

// With one character outside ASCII V8 stores the script with two bytes per character: 2 ms at each start.
function checkCharacters(path: string): void {
  const [odd] = /[^\0-\x7f]/.exec(Deno.readTextFileSync(path)) ?? [];
  if (odd === undefined) return;
  const code = odd.codePointAt(0)!.toString(16);
  throw new Error(`${path} has the character U+${code}: write it as an escape in the sources`);
}
