import { dirname, join } from "node:path";
import type { Packed } from "./contents.ts";
import { must } from "../program.ts";

/** Writes files below a folder, all of one time (seconds since 1970) and with their modes, whatever the umask. */
export function lay(folder: string, files: ReadonlyMap<string, Packed>, time: number): void {
  for (const [path, { data, mode }] of files) {
    const place = join(folder, path);
    Deno.mkdirSync(dirname(place), { recursive: true });
    Deno.writeFileSync(place, bytesOf(data));
    Deno.chmodSync(place, mode);
    Deno.utimeSync(place, time, time);
  }
  for (const path of files.keys()) {
    for (let up = dirname(path); up !== "."; up = dirname(up)) {
      Deno.chmodSync(join(folder, up), 0o755);
    }
  }
  Deno.chmodSync(folder, 0o755);
}

/** Content of a packed file; texts are UTF-8. */
export function bytesOf(data: Packed["data"]): Uint8Array {
  return typeof data === "string" ? new TextEncoder().encode(data) : data;
}

/** Runs a program that makes a package. @throws {Error} with what it says when it fails. */
export async function run(command: string, args: string[], env: Record<string, string> = {}) {
  await must(command, args, { env });
}
