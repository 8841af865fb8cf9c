import { join } from "node:path";
import { run } from "../../../scripts/program.ts";

/** Where the keys are that sign Debian's archive. */
export const ARCHIVE_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";

// A step that takes so long has no end.
const TIMEOUT_MS = 180_000;

/**
 * Unpacks packages of a Debian release, and what they depend on, into an empty folder. They come from the mirror that
 * this machine takes its own packages from, and apt verifies their signatures. What they do when they are
 * installed is left out: a whole installation takes three times as long.
 *
 * @throws {Error} when there is no such mirror, or it is out of reach.
 */
export async function unpackDebian(
  root: string,
  release: string,
  packages: readonly string[],
): Promise<void> {
  const apt = join(root, "apt");
  for (const name of ["etc", "state/lists/partial", "cache/archives/partial"]) {
    await Deno.mkdir(join(apt, name), { recursive: true });
  }
  const mirror = await mirrorOfThisMachine();
  await Deno.writeTextFile(
    join(apt, "etc/sources.list"),
    `deb [signed-by=${ARCHIVE_KEYS}] ${mirror} ${release} main\n`,
  );
  await Deno.writeTextFile(join(apt, "apt.conf"), settings(apt));
  await Deno.writeTextFile(join(apt, "status"), "");
  const env = { APT_CONFIG: join(apt, "apt.conf") };
  await must("apt-get", ["update", "-qq"], env);
  await must("apt-get", ["install", "-qq", "--yes", "--download-only", ...packages], env);
  // As Debian's own base-files has them: unpacking follows them.
  for (const name of ["bin", "lib", "lib64", "sbin"]) {
    await Deno.mkdir(join(root, "usr", name), { recursive: true });
    await Deno.symlink(`usr/${name}`, join(root, name));
  }
  const archives = join(apt, "cache/archives");
  const unpackAll =
    'ls "$0"/*.deb | xargs -P "$(nproc)" -I PACKAGE dpkg-deb --extract PACKAGE "$1"';
  await must("sh", ["-ec", unpackAll, archives, root]);
  const control = 'dpkg-deb --control "$0"/libwine_*.deb "$1/apt/libwine"';
  await must("sh", ["-ec", control, archives, root]);
  await Deno.remove(archives, { recursive: true });
}

/** The address that apt takes this machine's Debian from. */
async function mirrorOfThisMachine(): Promise<string> {
  const format = "$(ORIGIN) $(LABEL) $(REPO_URI)";
  const lines = await must("apt-get", ["indextargets", "--format", format]);
  const found = /^Debian Debian (\S+)$/m.exec(lines)?.[1];
  if (found === undefined) throw new Error("apt takes no packages from Debian's archive here");
  return found;
}

function settings(folder: string): string {
  const values = {
    "Dir::State": join(folder, "state"),
    "Dir::State::status": join(folder, "status"),
    "Dir::Cache": join(folder, "cache"),
    "Dir::Etc": join(folder, "etc"),
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::Etc::parts": "/dev/null",
    "APT::Architecture": "amd64",
    "APT::Architectures": "amd64",
    "APT::Install-Recommends": "false",
    // The folder is the user's own.
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
  };
  return Object.entries(values).map(([name, value]) => `${name} "${value}";\n`).join("");
}

/** What a program printed. @throws {Error} when it fails, or has no end. */
export async function must(
  program: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, {
    env: { LC_ALL: "C.UTF-8", DEBIAN_FRONTEND: "noninteractive", ...env },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (code === 0) return stdout;
  throw new Error(`${program} ${args.join(" ")}: ${stderr.slice(-1_000)}`);
}
