import { join } from "node:path";
import type { LicenseText } from "../../src/cli/commands/version.ts";
import type { Unpacked } from "./packages.ts";

const FILE = /^(licen[cs]e|copying|notice|unlicense)/i;

/** The texts that a package asks to be passed on with it. @throws {Error} when there are none. */
export function textOf(folder: string): string {
  const names = [...Deno.readDirSync(folder)]
    .filter(({ name, isFile }) => isFile && FILE.test(name)).map(({ name }) => name).sort();
  if (names.length === 0) throw new Error(`${folder} has no licence text`);
  return names.map((name) => Deno.readTextFileSync(join(folder, name)).trim()).join("\n\n");
}

/** The texts of packages, each text once. */
export function textsOf(
  packages: readonly (Unpacked & { readonly license: string })[],
): LicenseText[] {
  const byText = new Map<string, { of: string[]; license: string }>();
  for (const { name, version, folder, license } of packages) {
    const text = textOf(folder);
    const known = byText.get(text) ?? { of: [], license };
    known.of.push(`${name} ${version}`);
    byText.set(text, known);
  }
  return [...byText].map(([text, known]) => ({ ...known, text }));
}
