/**
 * Reads what a program prints, until that holds a text or the program ends.
 *
 * @returns reads the rest too, and gives all of it.
 */
export async function printed(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  sought: string,
): Promise<() => Promise<string>> {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const readUntil = async (isEnough: () => boolean) => {
    for (let next; !isEnough() && !(next = await reader.read()).done;) text += next.value;
    return text;
  };
  await readUntil(() => text.includes(sought));
  return () => readUntil(() => false);
}
