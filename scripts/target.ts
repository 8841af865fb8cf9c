import pins from "./pins.json" with { type: "json" };

/** The target of this machine. */
export const HOST: string = Deno.build.target;

/** Targets with a pinned runtime, for which releases are built. */
export const PINNED: readonly string[] = Object.keys(pins.denort);

/** Short name of a target: `linux-x64` for `x86_64-unknown-linux-gnu`. */
export function nameOf(target: string): string {
  const os = ["linux", "darwin", "windows"].find((os) => target.includes(os));
  return `${os}-${target.startsWith("x86_64") ? "x64" : "arm64"}`;
}

/** The target with a short name. @throws {Error} if there is none. */
export function targetNamed(name: string): string {
  const found = [HOST, ...PINNED].find((target) => nameOf(target) === name);
  if (found !== undefined) return found;
  throw new Error(
    `Cannot build for ${name}: there are pinned runtimes for ${PINNED.map(nameOf).join(", ")}`,
  );
}

/** File name of a program for a target. */
export function executableName(name: string, target: string): string {
  return target.includes("windows") ? `${name}.exe` : name;
}

/** Name of the binary for a target; `rekey` for this machine. */
export function binaryNameOf(target: string, suffix = ""): string {
  const name = target === HOST ? "rekey" : `rekey-${nameOf(target)}`;
  return executableName(`${name}${suffix}`, target);
}

/** The folder for the parts of a binary. */
export function partsOf(binary: string): string {
  return `dist/${binary.replace("rekey", "build").replace(/\.exe$/, "")}`;
}
