import pins from "./pins.json" with { type: "json" };

/** The kind of machine that this is, as Deno names it. */
export const HOST: string = Deno.build.target;

/** The kinds that a runtime is pinned for, and a release is made for. */
export const PINNED: readonly string[] = Object.keys(pins.denort);

/** What files for a kind of machine are called: `linux-x64` for `x86_64-unknown-linux-gnu`. */
export function nameOf(target: string): string {
  const os = ["linux", "darwin", "windows"].find((os) => target.includes(os));
  return `${os}-${target.startsWith("x86_64") ? "x64" : "arm64"}`;
}

/** The kind of machine that {@linkcode nameOf} names so. @throws {Error} when none is. */
export function targetNamed(name: string): string {
  const found = [HOST, ...PINNED].find((target) => nameOf(target) === name);
  if (found !== undefined) return found;
  throw new Error(`Cannot build for ${name}: pinned are ${PINNED.map(nameOf).join(", ")}`);
}

/** What a program is called as an executable for a kind of machine. */
export function executableName(name: string, target: string): string {
  return target.includes("windows") ? `${name}.exe` : name;
}

/** What the build calls the binary for a kind of machine: `rekey` is the one for this machine. @param suffix says which. */
export function binaryNameOf(target: string, suffix = ""): string {
  const name = target === HOST ? "rekey" : `rekey-${nameOf(target)}`;
  return executableName(`${name}${suffix}`, target);
}

/** Where the build keeps the parts of a binary. @param binary its name. */
export function partsOf(binary: string): string {
  return `dist/${binary.replace("rekey", "build").replace(/\.exe$/, "")}`;
}
