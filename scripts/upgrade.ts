/**
 * `deno task upgrade [COMMIT]`: builds an older commit, and goes from its binary to this one and back, as docs/install.md
 * says. The older binary is kept in the user's cache folder.
 */
import { join } from "node:path";
import { goThroughUpgrade } from "../tests/support/executables/upgrade.ts";
import { must, run } from "./program.ts";

const ROOT = join(import.meta.dirname!, "..");
const [commit = "b5c15b1"] = Deno.args;

const say = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

/** The binary of a commit, built unless it was before. */
async function binaryOf(commit: string): Promise<string> {
  const id = (await must("git", ["-C", ROOT, "rev-parse", `${commit}^{commit}`])).trim();
  const home = Deno.env.get("HOME") ?? Deno.cwd();
  const cache = join(Deno.env.get("XDG_CACHE_HOME") ?? join(home, ".cache"), "rekey-older", id);
  const binary = join(cache, "rekey");
  if ((await run("/bin/sh", ["-c", 'test -x "$0"', binary])).code === 0) return binary;
  say(`building ${id.slice(0, 8)}`);
  Deno.mkdirSync(cache, { recursive: true });
  const tree = Deno.makeTempDirSync({ prefix: "rekey-older-" });
  try {
    await must("git", ["-C", ROOT, "worktree", "add", "--detach", "--force", tree, id]);
    await must("/bin/sh", ["-c", ". scripts/deno.sh && deno task --quiet build"], { cwd: tree });
    Deno.copyFileSync(join(tree, "dist/rekey"), `${binary}.new`);
    Deno.renameSync(`${binary}.new`, binary);
  } finally {
    await run("git", ["-C", ROOT, "worktree", "remove", "--force", tree]);
  }
  return binary;
}

for (const line of await goThroughUpgrade(await binaryOf(commit))) say(line);
