import { embeddedBytes } from "./denort/elf.ts";

/**
 * Puts a file into an executable that `deno compile` made for Linux, between the runtime and what is embedded, with its
 * length behind it: `src/store/keyring/addon.ts` reads it there. The runtime reads all that is embedded, twice, at each
 * start, a millisecond for each MB; what stands here it never looks at.
 *
 * @returns whether there is such a place: in the executables of Deno 2.9 there is none.
 */
export async function appendAddon(executable: string, path: string): Promise<boolean> {
  const [program, file] = [await Deno.readFile(executable), await Deno.readFile(path)];
  const embedded = embeddedBytes(program);
  if (embedded === undefined) return false;
  const at = program.length - embedded;
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(file.length), true);
  const parts = [program.subarray(0, at), file, length, program.subarray(at)];
  await Deno.writeFile(executable, new Uint8Array(await new Blob(parts).arrayBuffer()));
  return true;
}
