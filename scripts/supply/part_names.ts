import { join } from "node:path";

/** As the bundler names a part that others import: with a hash of its content and of its sources' paths. */
const HASHED = /-[A-Z0-9]{8}\.js$/;

/**
 * Gives the parts of the program names that depend on nothing but their content: numbers, in the order
 * in which they are first named, starting with the parts that nothing imports. The bundler's own names
 * tell where on the machine its cache is, so that no two machines would build the same bytes.
 *
 * @throws {Error} for a part that no other names.
 */
export async function namePartsStably(folder: string): Promise<void> {
  const scripts = await read(folder);
  const names = stableNames(scripts);
  for (const name of scripts.keys()) await Deno.remove(join(folder, name));
  for (const [name, script] of scripts) {
    const renamed = script.replace(anyOf(scripts), (found) => names.get(found)!);
    await Deno.writeTextFile(join(folder, names.get(name)!), renamed);
  }
}

/** New names by old ones. */
export function stableNames(scripts: ReadonlyMap<string, string>): Map<string, string> {
  const names = new Map<string, string>();
  for (const name of [...scripts.keys()].sort()) if (!HASHED.test(name)) names.set(name, name);
  const pattern = anyOf(scripts);
  // A map's iterator goes on to what is added meanwhile.
  for (const name of names.keys()) {
    for (const [found] of scripts.get(name)!.matchAll(pattern)) {
      if (!names.has(found)) names.set(found, found.replace(HASHED, `-${names.size}.js`));
    }
  }
  const lost = [...scripts.keys()].filter((name) => !names.has(name));
  if (lost.length > 0) throw new Error(`Nothing imports ${lost.join(", ")}`);
  return names;
}

function anyOf(scripts: ReadonlyMap<string, string>): RegExp {
  const hashed = [...scripts.keys()].filter((name) => HASHED.test(name));
  // An empty alternative would be found everywhere.
  return hashed.length === 0 ? /$^/g : new RegExp(hashed.map(RegExp.escape).join("|"), "g");
}

async function read(folder: string): Promise<Map<string, string>> {
  const scripts = new Map<string, string>();
  for (const { name } of Deno.readDirSync(folder)) {
    if (name.endsWith(".js")) scripts.set(name, await Deno.readTextFile(join(folder, name)));
  }
  return scripts;
}
