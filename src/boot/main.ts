/** The main module of the compiled program: loads its scripts and starts it. From source it is `main.ts`. */

import type Process from "node:process";
import type { Script } from "node:vm";
import { appendedFile, REPLACED } from "./appended.ts";

// A third of a millisecond faster than importing the modules.
const { getBuiltinModule } = (globalThis as unknown as { process: typeof Process }).process;
const vm = getBuiltinModule("node:vm");

interface Module {
  // deno-lint-ignore no-explicit-any
  exports: any;
}

/** File name of a module's script, without extension. */
export function scriptName(module: string): string {
  return module.replaceAll("/", "+");
}

/**
 * Name of the file with V8's code of a script. That of `program` has what the most frequent commands call; rotations
 * call two hundred functions of it besides, and have another one.
 *
 * @param script its name as a file's, without extension.
 * @param rotates whether the command is a rotation. If that was wrong, V8 compiles what is missing.
 */
export function codeName(script: string, rotates: boolean): string {
  return script === "program" && rotates ? "program.rotate.code" : `${script}.code`;
}

interface ScriptText {
  readonly source: string;
  readonly code: Uint8Array<ArrayBuffer> | undefined;
}

/** What a script or a chunk of one does: it fills its exports. */
type Body = (require: (name: string) => unknown, module: Module, exports: unknown) => void;

/**
 * Loads the scripts that the build has embedded, each at its first use and with its V8 code cache: see
 * docs/performance.md. V8 compiles a script again if the cache is of another version.
 */
export class Scripts {
  readonly #builtins = new Map<string, unknown>();
  readonly #modules = new Map<string, Module>();
  readonly #scripts = new Map<string, Script>();

  /**
   * @param codeElsewhere a script's V8 code by the name of its file, unless it is in the folder.
   * @param rotates see {@linkcode codeName}.
   */
  constructor(
    private readonly folder: string,
    private readonly codeElsewhere: (name: string) => Uint8Array<ArrayBuffer> | undefined = () =>
      undefined,
    private readonly rotates = false,
  ) {}

  /**
   * A module of the runtime (`node:os`), the exports of a script (`zod`), or those of a chunk of one (`program:main`). An
   * arrow function, because scripts call it without `this`.
   */
  readonly require = (name: string): unknown => {
    if (name.startsWith("node:")) return this.#builtin(name);
    const known = this.#modules.get(name);
    if (known !== undefined) return known.exports;
    const module: Module = { exports: {} };
    this.#modules.set(name, module);
    this.#body(name)(this.require, module, module.exports);
    return module.exports;
  };

  /** Code caches of the loaded scripts, with all functions compiled so far. */
  compiled(): Map<string, Uint8Array> {
    return new Map([...this.#scripts].map(([name, script]) => [name, script.createCachedData()]));
  }

  /** Whether V8 has accepted the code cache of a script. */
  tookCode(name: string): boolean {
    return this.#scripts.get(name)?.cachedDataRejected === false;
  }

  // With `__esModule` the bundle does not copy the module for its default export, a tenth of a millisecond each time.
  #builtin(name: string): unknown {
    const known = this.#builtins.get(name);
    if (known !== undefined) return known;
    const module = getBuiltinModule(name) ?? null;
    const made = Object.create(module, { __esModule: { value: true }, default: { value: module } });
    this.#builtins.set(name, made);
    return made;
  }

  #body(name: string): Body {
    const [script, chunk] = name.split(":") as [string, string?];
    if (chunk !== undefined) return (this.require(script) as Record<string, Body>)[name]!;
    const compiled = this.#compile(name);
    this.#scripts.set(name, compiled);
    return compiled.runInThisContext();
  }

  #compile(name: string): Script {
    const { source, code } = this.#read(scriptName(name));
    const options = { filename: `${name}.js`, ...code && { cachedData: code } };
    const script = new vm.Script(source, options);
    if (code !== undefined) free(code);
    return script;
  }

  // Each start reads all embedded files: scripts that few commands load are compressed or appended.
  #read(file: string): ScriptText {
    const near = textAt(`${this.folder}/${file}.js`);
    if (near !== undefined) return { source: near, code: this.#code(codeName(file, this.rotates)) };
    const packed = fileAt(`${this.folder}/${file}.js.br`);
    if (packed === undefined) return appendedScript(file);
    const { brotliDecompressSync } = getBuiltinModule("node:zlib");
    return { source: new TextDecoder().decode(brotliDecompressSync(packed)), code: undefined };
  }

  #code(name: string): Uint8Array<ArrayBuffer> | undefined {
    return this.codeElsewhere(name) ?? fileAt(`${this.folder}/${name}`);
  }
}

function appendedScript(file: string): ScriptText {
  const source = appendedFile(`${file}.js`);
  if (source === undefined) throw new Error(`There is no script ${file}`);
  const text = new TextDecoder().decode(source);
  free(source);
  return { source: text, code: appendedFile(`${file}.code`) };
}

/** Frees the memory of bytes that were read, which the garbage collector may find much later, or never. */
function free({ buffer }: Uint8Array<ArrayBuffer>): void {
  buffer.transfer(0);
}

/**
 * V8's code from where the build has appended it. A script whose source is embedded needs none: when the executable was
 * replaced meanwhile, V8 compiles it.
 */
function appendedCode(name: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return appendedFile(name);
  } catch (error) {
    if ((error as Error).name === REPLACED) return undefined;
    throw error;
  }
}

// The runtime makes no copy of an embedded text, and two of bytes that become one.
function textAt(path: string): string | undefined {
  return ifThere(() => Deno.readTextFileSync(path));
}

function fileAt(path: string): Uint8Array<ArrayBuffer> | undefined {
  return ifThere(() => Deno.readFileSync(path));
}

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

// The build imports this file too.
if (import.meta.main) {
  const scripts = new Scripts(
    import.meta.dirname!,
    Deno.build.os === "linux" ? appendedCode : undefined,
    Deno.args.includes("rotate"),
  );
  const { start } = scripts.require("program:main") as { start: () => Promise<void> };
  await start();
}
