import { join } from "node:path";
import { Box } from "../process/box.ts";
import { smallRelease, sums, write } from "./releases.ts";

/** The installer. */
export const INSTALLER = join(import.meta.dirname!, "../../../scripts/package/install.sh");
/** What the files for this machine are called. */
export const HERE = `linux-${Deno.build.arch === "x86_64" ? "x64" : "arm64"}`;
/** Those that a release has, as the installer knows them. */
export const TARGETS = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"];
/** Where the programs are that the installer uses. */
export const PATH = "/usr/local/bin:/usr/bin:/bin";

/** A POSIX shell. */
export type Shell = readonly string[];
export const DASH: Shell = ["/usr/bin/dash"];
export const SHELLS: readonly Shell[] = [DASH, ["/usr/bin/busybox", "sh"], [
  "/usr/bin/bash",
  "--posix",
]];

/** Runs install.sh in a box; `bin` is a folder of programs that come before the machine's. */
export async function install(box: Box, args: string[], { shell = DASH, bin = "" } = {}) {
  const env = { PATH: bin === "" ? PATH : `${bin}:${PATH}`, HOME: box.home };
  return await box.exec(shell[0]!, [...shell.slice(1), INSTALLER, ...args], { env });
}

/** What is in a folder, hidden files too. */
export const names = (folder: string) =>
  [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

/** A box with a release in a folder, and an empty folder to install it to. */
export function prepared(files: ReadonlyMap<string, string> = smallRelease(TARGETS)) {
  const box = new Box();
  const [from, to] = [join(box.home, "release"), join(box.home, "bin")];
  write(from, files);
  Deno.mkdirSync(to);
  return { box, from, to, files };
}

/** A release of one file. */
export function withSums(name: string, content: string): Map<string, string> {
  const files = new Map([[name, content]]);
  return new Map([...files, ["SHA256SUMS", sums(files)]]);
}
