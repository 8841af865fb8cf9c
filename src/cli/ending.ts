/** How a program ended: with an exit status, or by a signal's number. */
export type Ending = { readonly status: number } | { readonly signal: number };

/** Waits until a program has ended. */
export async function endingOf(process: Deno.ChildProcess): Promise<Ending> {
  try {
    const { code, signal } = await process.status;
    return signal === null ? { status: code } : { signal: code - 128 };
  } catch (error) {
    // The runtime has no names for real-time signals.
    const [, number] = /^Invalid signal: (\d+)$/.exec((error as Error).message) ?? [];
    if (number === undefined) throw error;
    return { signal: Number(number) };
  }
}

/** The same in words. */
export function endingInWords(ending: Ending): string {
  return "status" in ending
    ? `ended with status ${ending.status}`
    : `was ended by signal ${ending.signal}`;
}
