import { join } from "node:path";
import type { Package } from "../../src/cli/commands/version.ts";
import { locked, type Lockfile, required } from "./lockfile.ts";
import { checkLicense } from "./spdx.ts";

/** A package, and where its files are. */
export interface Unpacked {
  readonly name: string;
  readonly version: string;
  readonly folder: string;
}

// Deno's cache: npm/REGISTRY/NAME/VERSION/…, a scoped name being two folders.
const CACHED = /^(.*\/npm\/[^/]+\/((?:@[^/]+\/)?[^/@]+)\/(\d[^/]*))\//;

/**
 * The packages that source files belong to.
 *
 * @throws {Error} for a file that is neither in a package nor below `root`.
 */
export function unpackedOf(sources: readonly string[], root: string): Unpacked[] {
  const found = new Map<string, Unpacked>();
  for (const source of sources) {
    const [, folder, name, version] = CACHED.exec(source) ?? [];
    if (folder !== undefined) {
      found.set(`${name}@${version}`, { name: name!, version: version!, folder });
    } else if (!source.startsWith(join(root, "/"))) {
      throw new Error(`${source} is in the program, and in no package`);
    }
  }
  return [...found].sort(([a], [b]) => a < b ? -1 : 1).map(([, unpacked]) => unpacked);
}

/** @throws {Error} when a licence is missing or not allowed, or `deno.lock` does not know a package. */
export function described(all: readonly Unpacked[], lock: Lockfile): Package[] {
  const present = all.map(({ name, version }) => `${name}@${version}`);
  return all.map(({ name, version, folder }) => {
    const { license } = JSON.parse(Deno.readTextFileSync(join(folder, "package.json")));
    const entry = locked(lock, name, version);
    return {
      name,
      version,
      license: checkLicense(`${name}@${version}`, license),
      integrity: entry.integrity,
      requires: required(entry, present),
    };
  });
}
