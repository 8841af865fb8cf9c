import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Box } from "../process/box.ts";

/** A file of one user's own, with a key in it. */
export function keyFile(box: Box, name = "kek", mode = 0o600): string {
  const path = join(box.home, name);
  Deno.writeTextFileSync(path, `${randomBytes(32).toString("base64")}\n`, { mode });
  Deno.chmodSync(path, mode);
  return path;
}

/** A command that prints a key, and leaves a trace of having run. */
export function command(box: Box): string {
  return `touch ${box.home}/ran; cat ${keyFile(box)}`;
}

/** Whether that command has run. */
export function hasRun(box: Box): boolean {
  return box.files().delete(join(box.home, "ran"));
}

/** The error of a command that is to fail, with its exit status. */
// deno-lint-ignore no-explicit-any
export async function refusal(box: Box, ...args: string[]): Promise<any> {
  const { code, stderr } = await box.run([...args, "--json"]);
  return { exit: code, ...JSON.parse(stderr).error };
}
