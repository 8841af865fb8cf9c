import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";

const DIST = join(import.meta.dirname!, "../../../dist");

/** The keyring addon as the build embeds it. @param parts the folder of the binary's parts. */
export function packedAddon(parts = "build"): Uint8Array {
  return Deno.readFileSync(join(DIST, parts, "keyring.node.br"));
}

/** The keyring addon as it is loaded. */
export function addon(): Uint8Array {
  return brotliDecompressSync(packedAddon());
}
