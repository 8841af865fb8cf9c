import { createHash } from "node:crypto";
import { basename } from "node:path";
import { embeddedBytes } from "./denort/elf.ts";

/**
 * Inserts files into an executable of `deno compile` for Linux, between the runtime and the embedded files, followed by
 * an index and its length: `src/boot/appended.ts` reads them there. The index also has a digest of them and of the
 * embedded files, which `rekey doctor` compares. The runtime reads all embedded files twice at each
 * start, a millisecond for each MB, but not these.
 *
 * @returns whether that is possible; it is not for executables of Deno 2.9.
 */
export async function appendFiles(executable: string, paths: readonly string[]): Promise<boolean> {
  const program = await Deno.readFile(executable);
  const embedded = embeddedBytes(program);
  if (embedded === undefined) return false;
  const at = program.length - embedded;
  const files = await Promise.all(paths.map((path) => Deno.readFile(path)));
  const index: Record<string, [before: number, length: number]> = {};
  let before = 0;
  for (let n = files.length - 1; n >= 0; n--) {
    const { length } = files[n]!;
    before += length;
    index[basename(paths[n]!)] = [before, length];
  }
  const hash = createHash("sha256").update(JSON.stringify(index));
  for (const part of [...files, program.subarray(at)]) hash.update(part);
  const whole = { ...index, sha256: hash.digest("hex") };
  const packed = new TextEncoder().encode(JSON.stringify(whole));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(packed.length), true);
  const parts = [program.subarray(0, at), ...files, packed, length, program.subarray(at)];
  await Deno.writeFile(executable, new Uint8Array(await new Blob(parts).arrayBuffer()));
  return true;
}
