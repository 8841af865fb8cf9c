/** Name of the error when the executable was deleted or replaced after the start. */
export const REPLACED = "ExecutableReplaced";

// Each length at the end of the executable, and of the index, has so many bytes: see `scripts/appended_files.ts`.
const NUMBER_BYTES = 8;

/**
 * A file that the build has appended to the executable, where no start reads it: on Linux only.
 *
 * @returns `undefined` when there is no such file.
 * @throws {Error} named {@linkcode REPLACED} when the executable was deleted or replaced meanwhile.
 */
export function appendedFile(
  name: string,
  executable = Deno.execPath(),
): Uint8Array<ArrayBuffer> | undefined {
  try {
    using file = Deno.openSync(executable);
    return fileIn(file, name);
  } catch (cause) {
    const error = new Error(`${name} is not in the executable as it was built`, { cause });
    error.name = REPLACED;
    throw error;
  }
}

function fileIn(file: Deno.FsFile, name: string): Uint8Array<ArrayBuffer> | undefined {
  const { indexAt, index } = indexOf(file);
  const place = index[name] as [before: number, length: number] | undefined;
  return place && bytesAt(file, indexAt - place[0], place[1]);
}

/** The index of the appended files, and where it begins. Behind it are its length and what `deno compile` embeds. */
export function indexOf(file: Deno.FsFile) {
  const { size } = file.statSync();
  const embeddedAt = size - numberAt(file, size - NUMBER_BYTES);
  const length = numberAt(file, embeddedAt - NUMBER_BYTES);
  const indexAt = embeddedAt - NUMBER_BYTES - length;
  const text = new TextDecoder().decode(bytesAt(file, indexAt, length));
  const index = JSON.parse(text) as Record<string, unknown>;
  return { indexAt, index, embeddedAt, size };
}

function numberAt(file: Deno.FsFile, offset: number): number {
  return Number(new DataView(bytesAt(file, offset, NUMBER_BYTES).buffer).getBigUint64(0, true));
}

/** Bytes of a file. @throws {RangeError} when it is shorter. */
export function bytesAt(
  file: Deno.FsFile,
  offset: number,
  length: number,
): Uint8Array<ArrayBuffer> {
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
