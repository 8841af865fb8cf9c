/**
 * The packages of a binary: `deno run --allow-all scripts/package/main.ts BINARY FOLDER` writes a `.tar.gz` and, where
 * there is dpkg-deb, a `.deb`, and prints their names. The same binary and time make the same bytes.
 */
import { dirname, join } from "node:path";
import { HOST, nameOf } from "../target.ts";
import { archiveFiles, debianFiles, type Ingredients, type Packed } from "./contents.ts";

const ARCHITECTURES: Record<string, string> = { x64: "amd64", arm64: "arm64" };

/** Writes the packages into a folder. @param target such as `linux-x64`. @returns their names. */
export async function makePackages(
  ingredients: Ingredients,
  target: string,
  folder: string,
): Promise<string[]> {
  const stage = Deno.makeTempDirSync({ prefix: "rekey-package-" });
  try {
    const archive = await makeArchive(ingredients, target, stage, folder);
    return [archive, await makeDebian(ingredients, target, stage, folder)];
  } finally {
    Deno.removeSync(stage, { recursive: true });
  }
}

async function makeArchive(
  ingredients: Ingredients,
  target: string,
  stage: string,
  folder: string,
) {
  const { version, time } = ingredients;
  const name = `rekey-${version}`;
  lay(join(stage, name), archiveFiles(ingredients), time);
  const file = `${name}-${target}.tar.gz`;
  const fixed = ["--sort=name", `--mtime=@${time}`, "--owner=root:0", "--group=root:0"];
  const line = ["--format=gnu", ...fixed, "-C", stage, "-cf", join(stage, "a.tar"), name];
  await run("tar", line);
  await run("gzip", ["-n", "-6", join(stage, "a.tar")]);
  Deno.copyFileSync(join(stage, "a.tar.gz"), join(folder, file));
  return file;
}

async function makeDebian(ingredients: Ingredients, target: string, stage: string, folder: string) {
  const { version, time } = ingredients;
  const architecture = ARCHITECTURES[target.split("-")[1]!]!;
  const root = join(stage, "debian");
  const files = debianFiles(ingredients);
  lay(root, files, time);
  for (const path of files.keys()) {
    if (path.includes("/man/")) await run("gzip", ["-n", "-9", join(root, path)]);
  }
  const size = [...files.values()].reduce((sum, { data }) => sum + data.length, 0);
  lay(
    root,
    new Map([["DEBIAN/control", { data: control(version, architecture, size), mode: 0o644 }]]),
    time,
  );
  const file = `rekey_${version}_${architecture}.deb`;
  // Several threads of xz would make other bytes than one.
  const args = ["--root-owner-group", "-Zgzip", "-z6", "--build", root, join(folder, file)];
  await run("dpkg-deb", args, { SOURCE_DATE_EPOCH: String(time) });
  return file;
}

function control(version: string, architecture: string, bytes: number): string {
  return `Package: rekey
Version: ${version}
Architecture: ${architecture}
Maintainer: The developers of rekey <rekey@rekey.invalid>
Installed-Size: ${Math.ceil(bytes / 1024)}
Depends: libc6, libgcc-s1
Suggests: gnome-keyring
Section: admin
Priority: optional
Description: owns a machine's JWT signing secret
 Generates the secret, keeps it in the keyring (encrypted SQLite when there is
 none), rotates it without ever losing or doubling it, verifies tokens with it,
 and serves that verification on loopback.
`;
}

function lay(folder: string, files: ReadonlyMap<string, Packed>, time: number): void {
  for (const [path, { data, mode }] of files) {
    const place = join(folder, path);
    Deno.mkdirSync(dirname(place), { recursive: true });
    Deno.writeFileSync(place, typeof data === "string" ? new TextEncoder().encode(data) : data);
    Deno.chmodSync(place, mode);
    Deno.utimeSync(place, time, time);
  }
  // Whatever the umask of who builds it.
  for (const path of files.keys()) {
    for (let up = dirname(path); up !== "."; up = dirname(up)) {
      Deno.chmodSync(join(folder, up), 0o755);
    }
  }
  Deno.chmodSync(folder, 0o755);
}

async function run(command: string, args: string[], env: Record<string, string> = {}) {
  const { success, stderr } = await new Deno.Command(command, { args, env, stdout: "null" })
    .output();
  if (!success) {
    throw new Error(`Failed: ${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
}

if (import.meta.main) {
  const [binary, folder] = Deno.args as [string, string];
  const ask = async (...args: string[]) =>
    new TextDecoder().decode((await new Deno.Command(binary, { args }).output()).stdout);
  const { version } = JSON.parse(await ask("version", "--json"));
  const licenses = await ask("version", "--licenses");
  const time = Number(Deno.env.get("SOURCE_DATE_EPOCH") ?? 0);
  const ingredients = { binary: Deno.readFileSync(binary), licenses, version, time };
  for (const name of await makePackages(ingredients, nameOf(HOST), folder)) {
    Deno.stdout.writeSync(new TextEncoder().encode(`${name}\n`));
  }
}
