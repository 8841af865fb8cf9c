import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { compile, V8_FLAGS } from "./compile.ts";
import { must } from "./program.ts";

/**
 * Writes V8's code caches of the scripts in a folder, by running `warm_up.ts` on the same denort: V8 rejects caches of
 * other programs.
 */
export async function addCode(folder: string): Promise<void> {
  // Wherever the sources are, its path is as long: V8 counts what a function does with it, and the count decides on a mark in
  // the cache.
  const home = await Deno.makeTempDir({ dir: "/tmp", prefix: "rekey-warm-up-" });
  const env = { HOME: resolve(home) };
  const rekey = (...args: string[]) =>
    run(Deno.execPath(), ["run", "--allow-all", "--quiet", "main.ts", ...args], env);
  try {
    await compile("scripts/warm_up.ts", `${home}/warm-up`, ["--allow-all", V8_FLAGS]);
    await rekey("init", "--store", "database");
    await rekey("init", "--store", "database", "--app", "turn");
    const token = await rekey("issue", "--sub", "someone");
    const secret = randomBytes(64).toString("base64");
    await Deno.writeTextFile(`${home}/secret`, secret, { mode: 0o600 });
    await rekey("import", "--app", "ring", "--store", "database", "--file", `${home}/secret`);
    const ringToken = await rekey("issue", "--app", "ring", "--sub", "someone");
    sayItIsInTheKeyring(`${home}/.local/share/ring/ring.db`);
    // The first run compiles functions; the second one finds them, so that their order in the cache is reproducible.
    for (const how of ["often", "late", "rotate"]) {
      for (const more of [[], ["again"]]) {
        const args = [how, folder, token.trim(), ringToken.trim(), secret, ...more];
        await run(`${home}/warm-up`, args, env);
      }
    }
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

// A build uses no keyring: a fake one returns the value (`warm_up.ts`).
function sayItIsInTheKeyring(path: string): void {
  const sqlite = new DatabaseSync(path);
  sqlite.exec("UPDATE rekey_versions SET location = 'keyring'");
  sqlite.close();
}

function run(program: string, args: string[], env: Record<string, string>): Promise<string> {
  // Only the variables that Deno needs, so that the environment does not change the build.
  const { PATH, DENO_DIR = `${Deno.env.get("HOME")}/.cache/deno` } = Deno.env.toObject();
  return must(program, args, { clearEnv: true, env: { PATH: PATH ?? "", DENO_DIR, ...env } });
}
