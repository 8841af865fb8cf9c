/**
 * Writes `dist/from-source/rekey`, which runs the program from source with this Deno, and with the permissions and V8
 * flags of the binary, to run the suites on versions of Deno without a pinned denort. It takes the embedded files from
 * `dist/build`.
 */
import { join } from "node:path";
import { V8_FLAGS } from "./compile.ts";
import { permissionFlags } from "./permissions.ts";
import { must } from "./program.ts";

const ROOT = join(import.meta.dirname!, "..");
const FOLDER = join(ROOT, "dist/from-source");
const EMBEDDED = ["about.json", "licenses.json.deflate", "keyring.node.br", "keyring.node.sha256"];

await Deno.mkdir(FOLDER, { recursive: true });
for (const name of EMBEDDED) {
  await Deno.copyFile(join(ROOT, "dist/build", name), join(FOLDER, name));
}
await Deno.writeTextFile(join(FOLDER, "main.ts"), 'import "../../main.ts";\n');
const flags = [
  ...["--quiet", "--no-prompt", "--no-code-cache", "--frozen", "--cached-only"],
  ...[...permissionFlags(Deno.version.deno), V8_FLAGS],
];
const words = [Deno.execPath(), "run", ...flags, join(FOLDER, "main.ts")];
// Tests have their own home, without a package cache; and only rekey may use the network.
const script = `#!/bin/sh\nexport DENO_NO_UPDATE_CHECK=1 DENO_DIR=${quoted(await denoDir())}\n` +
  `exec ${words.map(quoted).join(" ")} "$@"\n`;
await Deno.writeTextFile(join(FOLDER, "rekey"), script, { mode: 0o755 });

async function denoDir(): Promise<string> {
  return JSON.parse(await must(Deno.execPath(), ["info", "--json"])).denoDir;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
