/**
 * `deno task upgrade [COMMIT]`: builds an older commit, and goes from its binary to this one and back, as docs/install.md
 * says. Then the same from this one to itself with another migration, for what the older one does not know yet. The
 * binaries are kept in the user's cache folder. Needs etcd and gnome-keyring.
 */
import { join } from "node:path";
import type { Binaries } from "../tests/support/executables/installed.ts";
import { goThroughUpgrade } from "../tests/support/executables/upgrade.ts";
import { fleetAcrossUpgrade } from "../tests/support/executables/upgrade_fleet.ts";
import {
  execAcrossUpgrade,
  serveAcrossUpgrade,
  unitsAcrossUpgrade,
} from "../tests/support/executables/upgrade_programs.ts";
import { REKEY } from "../tests/support/process/box.ts";
import { must, run } from "./program.ts";

const ROOT = join(import.meta.dirname!, "..");
const SCHEMA = "src/store/sqlite/schema.ts";
const [commit = "b5c15b1"] = Deno.args;

const say = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

/**
 * The binary of a commit, built unless it was before.
 *
 * @param change what is changed in its sources, and its name: it is built each time.
 */
async function binaryOf(
  commit: string,
  change?: { name: string; make(tree: string): void },
): Promise<string> {
  const id = (await must("git", ["-C", ROOT, "rev-parse", `${commit}^{commit}`])).trim();
  const home = Deno.env.get("HOME") ?? Deno.cwd();
  const caches = Deno.env.get("XDG_CACHE_HOME") ?? join(home, ".cache");
  const cache = join(caches, "rekey-older", change?.name ?? id);
  const binary = join(cache, "rekey");
  const isThere = (await run("/bin/sh", ["-c", 'test -x "$0"', binary])).code === 0;
  if (isThere && change === undefined) return binary;
  say(`building ${id.slice(0, 8)} ${change?.name ?? ""}`.trimEnd());
  Deno.mkdirSync(cache, { recursive: true });
  const tree = Deno.makeTempDirSync({ prefix: "rekey-older-" });
  try {
    await must("git", ["-C", ROOT, "worktree", "add", "--detach", "--force", tree, id]);
    change?.make(tree);
    await must("/bin/sh", ["-c", ". scripts/deno.sh && deno task --quiet build"], { cwd: tree });
    Deno.copyFileSync(join(tree, "dist/rekey"), `${binary}.new`);
    Deno.renameSync(`${binary}.new`, binary);
  } finally {
    await run("git", ["-C", ROOT, "worktree", "remove", "--force", tree]);
  }
  return binary;
}

/** Adds a migration after the last one. */
function migrateFurther(tree: string): void {
  const text = Deno.readTextFileSync(join(tree, SCHEMA));
  const further = text.replace(
    /(const MIGRATIONS[^]*?)^\];$/m,
    "$1  `CREATE INDEX rekey_later ON rekey_audit (event)`,\n];",
  );
  if (further === text) throw new Error(`${SCHEMA} has no list of migrations`);
  Deno.writeTextFileSync(join(tree, SCHEMA), further);
}

async function goFrom(binaries: Binaries): Promise<void> {
  for (const line of await goThroughUpgrade(binaries)) say(line);
  for (const go of [execAcrossUpgrade, unitsAcrossUpgrade, serveAcrossUpgrade]) {
    say(await go(binaries));
  }
  for (const line of await fleetAcrossUpgrade(binaries)) say(line);
}

say(`\nfrom ${commit} to this one`);
await goFrom({ older: await binaryOf(commit), newer: REKEY });
say("\nfrom this one to one with another migration");
const later = { name: "later", make: migrateFurther };
await goFrom({ older: REKEY, newer: await binaryOf("HEAD", later) });
