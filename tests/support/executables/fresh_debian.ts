import { homedir } from "node:os";
import { join } from "node:path";
import { must } from "../../../scripts/program.ts";

const RELEASE = "bookworm";
const WEEK_MS = 7 * 86_400_000;

/**
 * Makes a folder into a Debian of essential packages alone, as no one has changed it yet. mmdebstrap takes fifteen seconds
 * of a processor for one, which is kept for a week.
 */
export async function freshDebian(root: string): Promise<void> {
  const folder = join(homedir(), ".cache", "rekey-build");
  const kept = join(folder, `debian-${RELEASE}.tar`);
  if (!isRecent(kept)) {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    await make(kept);
  }
  await Deno.mkdir(root);
  await must("tar", ["--extract", "--numeric-owner", "--file", kept, "--directory", root]);
}

function isRecent(path: string): boolean {
  try {
    return Date.now() - Deno.statSync(path).mtime!.getTime() < WEEK_MS;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

// Under a name of its own until it is whole: another run may make one as well.
async function make(path: string): Promise<void> {
  const made = `${path}.${Deno.pid}.partial`;
  const args = ["--quiet", "--variant=essential", "--format=tar", RELEASE, made];
  // Its programs are in folders that only root searches.
  try {
    await must("mmdebstrap", args, { env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" } });
    await Deno.rename(made, path);
  } finally {
    await Deno.remove(made).catch(() => {});
  }
}
