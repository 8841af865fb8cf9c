/** What `deno.lock` says of one npm package. */
export interface Locked {
  /** `sha512-…`, of the archive that the registry serves. */
  readonly integrity: string;
  /** `name`, or `name@version` where there are several versions. */
  readonly dependencies?: readonly string[];
}

/** The part of `deno.lock` that tells which packages there are. */
export interface Lockfile {
  readonly npm: Readonly<Record<string, Locked>>;
}

/** That of the project. */
export async function readLock(): Promise<Lockfile> {
  return JSON.parse(await Deno.readTextFile("deno.lock"));
}

/** What is locked of a package. @throws {Error} when nothing is. */
export function locked(lock: Lockfile, name: string, version: string): Locked {
  // After an underscore: the peers that it was resolved with.
  const key = Object.keys(lock.npm)
    .find((key) => key === `${name}@${version}` || key.startsWith(`${name}@${version}_`));
  if (key === undefined) throw new Error(`${name}@${version} is not in deno.lock`);
  return lock.npm[key]!;
}

/** Those of `present` (`name@version`) that a package depends on. */
export function required(entry: Locked, present: readonly string[]): string[] {
  const wanted = entry.dependencies ?? [];
  return present.filter((one) =>
    wanted.some((name) => one === name.split("_")[0] || one.slice(0, one.lastIndexOf("@")) === name)
  );
}
