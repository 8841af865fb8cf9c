import { basename, join, resolve } from "node:path";

/**
 * The scripts of the program's own code, and the modules for which each is read: those, and what they import. `program` is
 * read at each start, so it has the most frequent commands only. `secret_service` is for secrets in a keyring on the
 * session bus, `keyring` for what the quick way to one cannot do: writing, other systems' keyrings, and what is wrong with
 * one. `elsewhere` is read at each start on other systems than Linux. `rotation` is for rotations, and for what a
 * command that runs for long may load late. `request_thread` is what a request thread of `serve` may need, without the text
 * of all rare commands; what rotations need of that too is in `both`. All that is left is in `rest`. These two stand
 * outside of what a start reads, `request_thread` and `rest`.
 */
const SCRIPTS = {
  program: ["main", "tokens", "issue", "status", "state"],
  secret_service: ["client", "find_provider", "saving"],
  keyring: ["errors", "diagnosis", "addon", "shared_connection", "keychain"],
  elsewhere: ["windows", "macos"],
  rotation: [
    ...[
      "rotate",
      "sync",
      "command_line",
      "create",
      "adopt",
      "recover",
      "standby",
      "move",
      "destroy",
    ],
    ...[
      "overtaking",
      "signed_log",
      "local_changes",
      "rotate_kek",
      "imported",
      "backend",
      "wire",
      "etcd_settings",
      "fleet_facts",
      "channels",
    ],
  ],
  request_thread: ["request_thread", "schemas", "openapi", "openssl"],
};
const BOTH = "both";
const REST = "rest";

/** A file that the bundler wrote for modules which are loaded together. */
interface Chunk {
  readonly name: string;
  /** Names of the chunks that are loaded with it. */
  readonly imports: readonly string[];
}

/** Modules that the bundler must have made a chunk of. */
export const NAMED_MODULES: readonly string[] = Object.values(SCRIPTS).flat();

/** Names of the scripts, without extension. */
export const PROGRAM_SCRIPTS: readonly string[] = [...Object.keys(SCRIPTS), BOTH, REST];

/** Name of the script that each start runs. */
export const EARLY_SCRIPT = "program";

/** The scripts that get the code of the most frequent commands only. */
export const FREQUENT_SCRIPTS: readonly string[] = [EARLY_SCRIPT, "secret_service"];

/** The scripts that no start reads. */
export const LATE_SCRIPTS: readonly string[] = ["request_thread", REST];

/** Name of the script that no Linux needs. */
export const FOREIGN_SCRIPT = "elsewhere";

/**
 * The script of each chunk.
 *
 * @param folder of the chunks, in their form as modules.
 * @throws {Error} for chunks that import each other: the first one to be loaded would lack what it imports.
 */
export function scriptsOfChunks(folder: string): Map<string, string> {
  const chunks = new Map(inOrder(folder).map((name) => [name, chunkIn(folder, name)]));
  const scripts = new Map<string, string>();
  const neededBy = (modules: readonly string[]) => {
    const entries = modules.flatMap((module) => chunksOf(chunks, module));
    return entries.flatMap((entry) => withImports(chunks, entry));
  };
  const threads = neededBy(SCRIPTS.request_thread);
  for (const [script, modules] of Object.entries(SCRIPTS)) {
    for (const name of neededBy(modules).filter((name) => !scripts.has(name))) {
      scripts.set(name, script === "rotation" && threads.includes(name) ? BOTH : script);
    }
  }
  for (const name of chunks.keys()) {
    withImports(chunks, name);
    if (!scripts.has(name)) scripts.set(name, REST);
  }
  return scripts;
}

/** All chunks in the order in which they are mentioned, from `main` on: that of their names depends on the folder. */
function inOrder(folder: string): string[] {
  const found = new Set<string>();
  const visit = (name: string) => {
    if (found.has(name)) return;
    found.add(name);
    const text = Deno.readTextFileSync(join(folder, `${name}.js`));
    for (const [, other] of text.matchAll(/"\.\/([\w-]+)\.js"/g)) visit(other!);
  };
  for (const name of ["main", ...chunkNames(folder)]) visit(name);
  return [...found];
}

/** Names of the files with chunks, without extension. */
export function chunkNames(folder: string): string[] {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
  return names.filter((name) => name.endsWith(".js")).map((name) => basename(name, ".js")).sort();
}

/**
 * Joins chunks to one script, whose exports are functions: each makes a chunk's module.
 *
 * @param folder of the chunks.
 * @param scripts the script of each chunk.
 */
export function joined(folder: string, scripts: Map<string, string>, script: string): string {
  const order = [...scripts.keys()];
  // The bundler's hash comes from the folder's path too: a build elsewhere must have the same bytes.
  const stable = (chunk: string) => chunk.replace(HASH, `-${order.indexOf(chunk)}`);
  const nameOf = (from: string) => {
    const [, chunk] = /^\.\/([\w-]+)\.js$/.exec(from) ?? [];
    return JSON.stringify(chunk === undefined ? from : `${scripts.get(chunk)}:${stable(chunk)}`);
  };
  const own = [...scripts].filter(([, one]) => one === script).map(([name]) => name);
  const bodies = own.map((name) => {
    const text = Deno.readTextFileSync(join(folder, `${name}.js`));
    return `"${script}:${stable(name)}"(require,module){"use strict";${asBody(text, nameOf)}}`;
  });
  return `module.exports={${bodies.join(",\n")}};`;
}

// The bundler adds it to the names of chunks, but for that of the program's entry.
const HASH = /-[0-9A-Z]{8}$/;

const FROM = '"((?:node:|\\./)?[\\w+/.-]+)";';

/**
 * A module of the bundler's as the body of a function. What it imports is made when it is called, and what it exports
 * at its end: no variable that is exported changes later, and modules are loaded in the order of their imports. An import
 * without a name is left out: the sources have none. An `await import()` becomes an import at once, since a module may have
 * it outside of functions, and a function that is not async cannot wait.
 */
function asBody(module: string, nameOf: (from: string) => string): string {
  const names = (list: string) => list.replace(/([\w$]+) as ([\w$]+)/g, "$1:$2");
  const swapped = (list: string) => list.replace(/([\w$]+) as ([\w$]+)/g, "$2:$1");
  return module
    .replace(new RegExp(`\\bimport${FROM}`, "g"), "")
    .replace(
      new RegExp(`\\bimport\\{([^{}]*)\\}from${FROM}`, "g"),
      (_, list, from) => `const{${names(list)}}=require(${nameOf(from)});`,
    )
    .replace(
      new RegExp(`\\bimport ([\\w$]+) from${FROM}`, "g"),
      (_, name, from) => `const ${name}=require(${nameOf(from)}).default;`,
    )
    .replace(
      new RegExp(`\\bimport\\*as ([\\w$]+) from${FROM}`, "g"),
      (_, name, from) => `const ${name}=require(${nameOf(from)});`,
    )
    .replace(/\bawait import\("([^"]+)"\)/g, (_, from) => `require(${nameOf(from)})`)
    .replace(
      /\bimport\("([^"]+)"\)/g,
      (_, from) => `Promise.resolve().then(()=>require(${nameOf(from)}))`,
    )
    .replace(/\bexport\{([^{}]*)\};\s*$/, (_, list) => `module.exports={${swapped(list)}};`);
}

/** Paths of the sources that chunks were made of, from the maps beside them. */
export function sourcesOf(folder: string, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const map = JSON.parse(Deno.readTextFileSync(join(folder, `${name}.js.map`)));
    return (map.sources as string[]).map((source) => resolve(folder, source));
  });
}

function chunkIn(folder: string, name: string): Chunk {
  const text = Deno.readTextFileSync(join(folder, `${name}.js`));
  const imports = [...text.matchAll(/(?:\bfrom|\bimport)"\.\/([\w-]+)\.js"/g)].map(([, to]) => to!);
  return { name, imports };
}

// A command and its flags have the same name.
function chunksOf(chunks: Map<string, Chunk>, module: string): string[] {
  const found = [...chunks.keys()].filter((name) => name.replace(HASH, "") === module);
  if (found.length > 0) return found;
  throw new Error(`There is no chunk of a module ${module}`);
}

function withImports(chunks: Map<string, Chunk>, name: string, within: string[] = []): string[] {
  if (within.includes(name)) throw new Error(`Chunks import each other: ${[...within, name]}`);
  const { imports } = chunks.get(name)!;
  return [name, ...imports.flatMap((other) => withImports(chunks, other, [...within, name]))];
}
