/**
 * `count.ts FOLDER ARGUMENTS…`: runs rekey's command line from the scripts that a build has left in a folder, and writes
 * what its start took to standard error, as JSON ({@linkcode Taken}).
 */
import { DatabaseSync } from "node:sqlite";
import { Scripts } from "../../src/boot/main.ts";
import { EARLY_SCRIPT, PROGRAM_SCRIPTS } from "../chunks.ts";

/** What one command took inside its process. */
export interface Taken {
  /** Parts of the program that were evaluated: what the bundler has kept together. */
  readonly parts: number;
  /** Bytes of their source. */
  readonly bytes: number;
  /** Statements that SQLite compiled. */
  readonly statements: number;
}

if (import.meta.main) {
  const [folder, ...args] = Deno.args as [string, ...string[]];
  const scripts = new Scripts(folder);
  const statements = countStatements();
  const parts = new Map<string, number>();
  const load = scripts.require;
  const counting = (name: string) => {
    const [script] = name.split(":") as [string];
    if (name !== script && PROGRAM_SCRIPTS.includes(script) && !parts.has(name)) {
      const body = (load(script) as Record<string, unknown>)[name];
      parts.set(name, String(body).length);
    }
    return load(name);
  };
  // What a part loads comes here too.
  Object.assign(scripts, { require: counting });
  const { exit } = Deno;
  Deno.exit = ((status) => {
    const bytes = [...parts.values()].reduce((sum, length) => sum + length, 0);
    const taken: Taken = { parts: parts.size, bytes, statements: statements() };
    Deno.stderr.writeSync(new TextEncoder().encode(JSON.stringify(taken)));
    exit(status);
  }) as typeof Deno.exit;
  Object.defineProperty(Deno, "args", { value: args, configurable: true });
  const { start } = counting(`${EARLY_SCRIPT}:main`) as { start: () => Promise<void> };
  await start();
}

/** @returns how many statements SQLite has compiled since. `exec` is given several at a time. */
function countStatements(): () => number {
  let count = 0;
  const { prepare, exec } = DatabaseSync.prototype;
  DatabaseSync.prototype.prepare = function (sql, ...more) {
    count++;
    return prepare.call(this, sql, ...more);
  };
  DatabaseSync.prototype.exec = function (sql) {
    count += sql.split(";").filter((one) => one.trim() !== "").length;
    exec.call(this, sql);
  };
  return () => count;
}
