/**
 * Puts a file into an executable that `deno compile` made, between the runtime and what is embedded, with its length
 * behind it: `src/keyring/packed_addon.ts` reads it there. The runtime reads all that is embedded, twice, at each start, a
 * millisecond for each MB; what stands here it never looks at.
 *
 * @throws {Error} when the executable does not end as the runtime's do on Linux.
 */
export async function putAside(executable: string, path: string): Promise<void> {
  const [program, file] = [await Deno.readFile(executable), await Deno.readFile(path)];
  const at = program.length - embeddedBytes(program);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(file.length), true);
  const parts = [program.subarray(0, at), file, length, program.subarray(at)];
  await Deno.writeFile(executable, new Uint8Array(await new Blob(parts).arrayBuffer()));
}

const [TRAILER_BYTES, MAGIC] = [16, 0x501e];

// The trailer: a magic number, the hash of a name, and how many bytes are embedded, the trailer among them.
function embeddedBytes(program: Uint8Array): number {
  const view = new DataView(program.buffer, program.byteOffset + program.length - TRAILER_BYTES);
  const bytes = Number(view.getBigUint64(8, true));
  const begin = program.subarray(program.length - bytes, program.length - bytes + 8);
  if (view.getUint32(0, true) === MAGIC && new TextDecoder().decode(begin) === "d3n0l4nd") {
    return bytes;
  }
  throw new Error("Not an executable of `deno compile` as it makes them on Linux");
}
