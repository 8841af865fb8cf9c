/** The main module of the compiled program: loads its scripts and starts it. From source it is `main.ts`. */

import type Process from "node:process";
import type { Script } from "node:vm";

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
 * Loads the scripts that the build has embedded, each at its first use and with its V8 code cache: see
 * docs/performance.md. V8 compiles a script again if the cache is of another version.
 */
export class Scripts {
  readonly #builtins = new Map<string, unknown>();
  readonly #modules = new Map<string, Module>();
  readonly #scripts = new Map<string, Script>();

  constructor(private readonly folder: string) {}

  /** A module of the runtime, or the exports of a script. An arrow function, because scripts call it without `this`. */
  readonly require = (name: string): unknown => {
    if (name.startsWith("node:")) return this.#builtin(name);
    const known = this.#modules.get(name);
    if (known !== undefined) return known.exports;
    const module: Module = { exports: {} };
    this.#modules.set(name, module);
    const script = this.#compile(name);
    this.#scripts.set(name, script);
    script.runInThisContext()(this.require, module, module.exports);
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

  // Scripts that few commands load are compressed: each start reads all embedded files.
  #source(name: string): string {
    const path = `${this.folder}/${scriptName(name)}.js`;
    try {
      return Deno.readTextFileSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      const packed = Deno.readFileSync(`${path}.br`);
      return getBuiltinModule("node:zlib").brotliDecompressSync(packed).toString();
    }
  }

  #compile(name: string): Script {
    const source = this.#source(name);
    const cachedData = fileAt(`${this.folder}/${scriptName(name)}.code`);
    const wrapped = `(function(require,module,exports){${source}\n})`;
    return new vm.Script(wrapped, { filename: `${name}.js`, ...cachedData && { cachedData } });
  }
}

function fileAt(path: string): Uint8Array | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

// The build imports this file too.
if (import.meta.main) {
  const { start } = new Scripts(import.meta.dirname!).require("program") as {
    start: () => Promise<void>;
  };
  await start();
}
