import { createHash } from "node:crypto";
import type { Finding } from "../findings.ts";

// Behind the runtime: the program's scripts, V8's code of them, which V8 runs unseen, and the keyring's addon.
const NUMBER_BYTES = 8;

/** Whether what the build has put behind the runtime is as it was: on Linux, where the executable has a digest of it. */
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
    const { size } = file.statSync();
    const embeddedAt = size - numberAt(file, size - NUMBER_BYTES);
    const lengthAt = embeddedAt - NUMBER_BYTES;
    const indexAt = lengthAt - numberAt(file, lengthAt);
    const index = JSON.parse(new TextDecoder().decode(bytesAt(file, indexAt, lengthAt)));
    const { sha256, ...files } = index as Record<string, [before: number] | string>;
    const first = indexAt - Math.max(...Object.values(files).map(([before]) => Number(before)));
    const hash = createHash("sha256").update(JSON.stringify(files));
    hash.update(bytesAt(file, first, indexAt)).update(bytesAt(file, embeddedAt, size));
    return hash.digest("hex") === sha256;
  } catch {
    return undefined;
  }
}

function numberAt(file: Deno.FsFile, at: number): number {
  const { buffer } = bytesAt(file, at, at + NUMBER_BYTES);
  return Number(new DataView(buffer).getBigUint64(0, true));
}

function bytesAt(file: Deno.FsFile, from: number, to: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(to - from);
  file.seekSync(from, Deno.SeekMode.Start);
  for (let done = 0; done < bytes.length;) {
    const count = file.readSync(bytes.subarray(done));
    if (count === null) throw new RangeError("Behind the file's end");
    done += count;
  }
  return bytes;
}
