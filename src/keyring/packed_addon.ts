import { fileURLToPath } from "node:url";
import { embedded } from "../core/embedded.ts";
import { RekeyError } from "../core/errors.ts";
import { readFileIfThere } from "../files/private_files.ts";

// What the build embeds for systems other than Linux.
const EMBEDDED = "keyring.node.br";
// How many bytes at the end of the executable the runtime reads, and how many the addon has:
// `scripts/appended_addon.ts`.
const NUMBER_BYTES = 8;

/**
 * The keyring's addon as the build has packed it. On Linux it is in the executable, but not among what is embedded, which
 * the runtime reads at each start; elsewhere it is embedded.
 *
 * @throws {RekeyError} `keyring_failed` when the executable is no longer there as it was started.
 */
export function packedAddon(): Uint8Array {
  try {
    return readFileIfThere(fileURLToPath(embedded(EMBEDDED))) ?? addonAside();
  } catch (cause) {
    throw exchanged(cause);
  }
}

function addonAside(): Uint8Array {
  using executable = Deno.openSync(Deno.execPath());
  const { size } = executable.statSync();
  const embeddedAt = size - numberAt(executable, size - NUMBER_BYTES);
  const length = numberAt(executable, embeddedAt - NUMBER_BYTES);
  return bytesAt(executable, embeddedAt - NUMBER_BYTES - length, length);
}

/** The executable is another one, or gone. */
export function exchanged(cause?: unknown): RekeyError {
  return new RekeyError(
    "keyring_failed",
    "Cannot unpack the keyring addon: it is not in the executable as it was built",
    { hint: "Was the executable exchanged meanwhile? Run the command again", cause },
  );
}

function numberAt(file: Deno.FsFile, offset: number): number {
  return Number(new DataView(bytesAt(file, offset, NUMBER_BYTES).buffer).getBigUint64(0, true));
}

function bytesAt(file: Deno.FsFile, offset: number, length: number): Uint8Array<ArrayBuffer> {
  if (offset < 0) throw new RangeError("Before the file's begin");
  const bytes = new Uint8Array(length);
  file.seekSync(offset, Deno.SeekMode.Start);
  for (let done = 0; done < length;) {
    const count = file.readSync(bytes.subarray(done));
    if (count === null) throw new RangeError("Behind the file's end");
    done += count;
  }
  return bytes;
}
