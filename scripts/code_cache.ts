import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { compile, V8_FLAGS } from "./compile.ts";
import { must } from "./program.ts";

/**
 * Adds to the scripts in a folder the code that V8 makes of them: with `warm_up.ts` on the same denort, since V8 takes
 * no other program's.
 */
export async function addCode(folder: string): Promise<void> {
  const home = await Deno.makeTempDir({ dir: "dist", prefix: "warm-up-" });
  const env = { HOME: resolve(home) };
  const rekey = (...args: string[]) =>
    run(Deno.execPath(), ["run", "--allow-all", "--quiet", "main.ts", ...args], env);
  try {
    await compile("scripts/warm_up.ts", `${home}/warm-up`, ["--allow-all", V8_FLAGS]);
    await rekey("init", "--store", "database");
    const token = await rekey("issue", "--sub", "someone");
    const secret = randomBytes(64).toString("base64");
    await Deno.writeTextFile(`${home}/secret`, secret, { mode: 0o600 });
    await rekey("import", "--app", "ring", "--store", "database", "--file", `${home}/secret`);
    const ringToken = await rekey("issue", "--app", "ring", "--sub", "someone");
    sayItIsInTheKeyring(`${home}/.local/share/ring/ring.db`);
    // The first time it compiles what it runs; the second time it finds that, in the same order each time.
    for (const more of [[], ["again"]]) {
      await run(`${home}/warm-up`, [folder, token.trim(), ringToken.trim(), secret, ...more], env);
    }
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

// No keyring takes part in a build: one that is made up hands out the value (`warm_up.ts`).
function sayItIsInTheKeyring(path: string): void {
  const sqlite = new DatabaseSync(path);
  sqlite.exec("UPDATE rekey_versions SET location = 'keyring'");
  sqlite.close();
}

function run(program: string, args: string[], env: Record<string, string>): Promise<string> {
  // Nothing of the environment but what Deno itself needs may matter to what is built.
  const { PATH, DENO_DIR = `${Deno.env.get("HOME")}/.cache/deno` } = Deno.env.toObject();
  return must(program, args, { clearEnv: true, env: { PATH: PATH ?? "", DENO_DIR, ...env } });
}
