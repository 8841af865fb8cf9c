import { basename, dirname, join } from "node:path";

/** An absolute path without links, as far as the folders on it exist; its last part stays as it is. */
export function realPlace(path: string): string {
  const folder = dirname(path);
  if (folder === path) return path;
  try {
    return join(Deno.realPathSync(folder), basename(path));
  } catch {
    return join(realPlace(folder), basename(path));
  }
}
