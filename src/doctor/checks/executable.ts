import { createHash } from "node:crypto";
import { bytesAt, indexOf } from "../../boot/appended.ts";
import type { Finding } from "../findings.ts";

/**
 * Whether what the build has put behind the runtime is as it was: the program's scripts, V8's code of them, which V8 runs
 * unseen, and the keyring's addon. On Linux, where the executable has a digest of it.
 */
export function executableCheck(executable = Deno.execPath()): Finding[] {
  const isCompiled = Deno.build.standalone && Deno.build.os === "linux";
  if (!isCompiled || isAsBuilt(executable) !== false) return [];
  return [{
    code: "executable_damaged",
    what: `The executable ${executable} is not as it was built`,
    why: "A disk, a copy or another program has changed it, and any command may end or go wrong; " +
      "nothing that rekey keeps is affected by that alone",
    command: "# install rekey again",
  }];
}

/**
 * Whether an executable has the digest that `scripts/appended_files.ts` has put into its index; `undefined` without an
 * index. In one that was built with it no doctor starts when the index cannot be read.
 */
export function isAsBuilt(executable: string): boolean | undefined {
  try {
    using file = Deno.openSync(executable);
    const { indexAt, index, embeddedAt, size } = indexOf(file);
    const { sha256, ...files } = index as Record<string, [before: number] | string>;
    const first = indexAt - Math.max(...Object.values(files).map(([before]) => Number(before)));
    const hash = createHash("sha256").update(JSON.stringify(files));
    hash.update(bytesAt(file, first, indexAt - first));
    hash.update(bytesAt(file, embeddedAt, size - embeddedAt));
    return hash.digest("hex") === sha256;
  } catch {
    return undefined;
  }
}
