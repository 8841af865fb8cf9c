import type Process from "node:process";
import type { Script } from "node:vm";

// Asked for in this way, and not imported, the runtime's modules are there a third of a millisecond earlier.
const { getBuiltinModule } = (globalThis as unknown as { process: typeof Process }).process;
const vm = getBuiltinModule("node:vm");

interface Module {
  // deno-lint-ignore no-explicit-any
  exports: any;
}

/** The name, without its ending, of the file that a module's script is in. */
export function scriptName(module: string): string {
  return module.replaceAll("/", "+");
}

/**
 * Scripts that the build has put into a folder, each loaded when it is first asked for, with the code that V8 had
 * made of it when it was built: see docs/performance.md. V8 looks whether that code is its own version's, and
 * compiles the script once more if it is not.
 */
export class Scripts {
  readonly #builtins = new Map<string, unknown>();
  readonly #modules = new Map<string, Module>();
  readonly #scripts = new Map<string, Script>();

  constructor(private readonly folder: string) {}

  /** A module of the runtime, or what a script exports. An arrow function: the scripts are given it by itself. */
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

  /** The code of each script that was loaded, with what has been compiled of it until now. */
  compiled(): Map<string, Uint8Array> {
    return new Map([...this.#scripts].map(([name, script]) => [name, script.createCachedData()]));
  }

  /** Whether V8 has taken the code that was there of a script. */
  tookCode(name: string): boolean {
    return this.#scripts.get(name)?.cachedDataRejected === false;
  }

  // A bundle that imports a module's default copies all that the module has, a tenth of a millisecond each time, unless
  // it is told that the default is there.
  #builtin(name: string): unknown {
    const known = this.#builtins.get(name);
    if (known !== undefined) return known;
    const module = getBuiltinModule(name) ?? null;
    const made = Object.create(module, { __esModule: { value: true }, default: { value: module } });
    this.#builtins.set(name, made);
    return made;
  }

  // What not every command loads is packed: each start goes through all that is embedded.
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
