import { dirname } from "node:path";
import { SYSTEM } from "../system/system.ts";

const PASSED_BY_OTHERS = 0o011;

/** Whether other users cannot pass a folder on the way to a file, which has no other name that is known of. */
export function isBehindFolder(path: string): boolean {
  // On Windows users may pass folders that they cannot read.
  if (SYSTEM.os === "windows" || Deno.statSync(path).nlink !== 1) return false;
  for (let folder = dirname(Deno.realPathSync(path));; folder = dirname(folder)) {
    if ((Deno.statSync(folder).mode! & PASSED_BY_OTHERS) === 0) return true;
    if (folder === dirname(folder)) return false;
  }
}
