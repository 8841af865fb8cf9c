import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";

const PACKED = join(import.meta.dirname!, "../../dist/build/keyring.node.br");

/** The keyring addon as the build embeds it. */
export function packedAddon(): Uint8Array {
  return Deno.readFileSync(PACKED);
}

/** The keyring addon as it is loaded. */
export function addon(): Uint8Array {
  return brotliDecompressSync(packedAddon());
}
