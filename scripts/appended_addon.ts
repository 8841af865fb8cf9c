import { embeddedBytes } from "./denort/elf.ts";

/**
 * Inserts a file into an executable of `deno compile` for Linux, between the runtime and the embedded files, followed by
 * its length. `src/store/keyring/addon.ts` reads it there. The runtime reads all embedded files twice at each start, a
 * millisecond for each MB, but not this one.
 *
 * @returns whether that is possible; it is not for executables of Deno 2.9.
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
