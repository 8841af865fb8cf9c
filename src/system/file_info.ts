/**
 * What is known of a file, a folder or a link itself; `undefined` when there is none. By the runtime's own call,
 * which is ready in a tenth of the time that it takes Node's to be.
 */
export function infoOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    const { NotFound, NotADirectory } = Deno.errors;
    if (error instanceof NotFound || error instanceof NotADirectory) return undefined;
    throw error;
  }
}
