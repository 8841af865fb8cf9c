/**
 * `warm_up.ts FOLDER TOKEN [again]`: runs the most frequent commands with the scripts in a folder, and puts beside each
 * script the code that V8 has made of it by then, so that the binary need not make it at each start.
 */
import { Scripts } from "../src/boot/script.ts";

const [folder, token, again] = Deno.args as [string, string, string?];
const scripts = new Scripts(folder);
const { run } = scripts.require("program") as { run: (args: string[]) => Promise<number> };
for (const args of [["verify", token], ["status"]]) {
  for (const more of [[], ["--json"]]) {
    if (await run([...args, ...more]) !== 0) throw new Error(`rekey ${args[0]} failed`);
  }
}
if (again !== undefined && !scripts.tookCode("program")) throw new Error("V8 refuses its own code");
for (const [name, code] of scripts.compiled()) Deno.writeFileSync(`${folder}/${name}.code`, code);
Deno.exit(0);
