import { join } from "node:path";
import { debianFiles, type Ingredients } from "./contents.ts";
import { lay, run } from "./stage.ts";

const ARCHITECTURES: Record<string, string> = { x64: "amd64", arm64: "arm64" };

/** Writes a Debian package into a folder. @param target such as `linux-x64`. @returns its name. */
export async function makeDebian(
  ingredients: Ingredients,
  target: string,
  stage: string,
  folder: string,
): Promise<string> {
  const { version, time, quick } = ingredients;
  const architecture = ARCHITECTURES[target.split("-")[1]!]!;
  const root = join(stage, "debian");
  const files = await debianFiles(ingredients);
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
  const args = [
    "--root-owner-group",
    "-Zgzip",
    quick ? "-z0" : "-z6",
    "--build",
    root,
    join(folder, file),
  ];
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
