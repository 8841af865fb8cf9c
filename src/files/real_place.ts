import { basename, dirname, join, sep } from "node:path";

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

/**
 * A text that two absolute paths have in common if they are the same place: through links, and where a folder is mounted
 * at several places. What is not there yet has the folder's that is, and the rest of its path.
 */
export function placeKey(path: string): string {
  const { identity, rest } = nearest(path);
  return identity + rest;
}

// The file or folder itself, or the nearest folder above it that is there.
function nearest(path: string): { at: string; identity: string; rest: string } {
  for (let at = path;; at = dirname(at)) {
    const identity = identityOf(at);
    const isTop = dirname(at) === at;
    // Windows does not tell it of every file.
    if (identity === undefined && !isTop) continue;
    const rest = path.slice(at.length);
    return { at, identity: identity ?? at, rest: isTop && rest !== "" ? sep + rest : rest };
  }
}

function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = Deno.statSync(path);
    return ino === null ? undefined : `${dev}:${ino}`;
  } catch {
    // Not there, or not to be looked at.
    return undefined;
  }
}

/** Whether two absolute paths are the same place; see {@linkcode placeKey}. */
export function isSamePlace(one: string, other: string): boolean {
  return one === other || placeKey(one) === placeKey(other);
}

/** Whether an absolute path without links is a file or folder, or in that folder. */
export function isWithin(path: string, place: string): boolean {
  const key = placeKey(place);
  const { at, identity, rest } = nearest(path);
  if (`${identity}${rest}${sep}`.startsWith(key + sep)) return true;
  for (let above = at; dirname(above) !== above;) {
    above = dirname(above);
    if (placeKey(above) === key) return true;
  }
  return false;
}
