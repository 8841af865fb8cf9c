import { join } from "node:path";
import { Box } from "./box.ts";

/** Another user with a copy of everything in a box's home folder: what many tests begin with is made once. */
export function copyOf(original: Box): Box {
  const box = new Box({ ...original.env });
  copyFolder(original.home, box.home);
  return box;
}

// With the modes of the original, whatever the umask.
function copyFolder(from: string, to: string): void {
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    const [original, copy] = [join(from, name), join(to, name)];
    if (isDirectory) {
      Deno.mkdirSync(copy);
      copyFolder(original, copy);
    } else Deno.copyFileSync(original, copy);
    Deno.chmodSync(copy, Deno.statSync(original).mode! & 0o777);
  }
}
