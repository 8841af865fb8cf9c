import { join, resolve } from "node:path";

/**
 * Paths of all files whose code is in the program, from the source maps beside its parts; the maps are
 * deleted, since they are not to be shipped.
 *
 * @throws {Error} for a part without a map: no one would know what is in it.
 */
export async function takeSources(folder: string): Promise<string[]> {
  const sources = new Set<string>();
  for (const { name } of [...Deno.readDirSync(folder)]) {
    if (!name.endsWith(".js")) continue;
    const path = join(folder, `${name}.map`);
    const map: { sources: string[] } = JSON.parse(await Deno.readTextFile(path));
    for (const source of map.sources) sources.add(resolve(folder, source));
    await Deno.remove(path);
  }
  return [...sources].sort();
}
