// More than any test waits for; a program that prints without end would fill the memory until the suite's own limit.
const MOST_CHARACTERS = 2 ** 20;

/**
 * Reads what a program prints, until that holds a text or the program ends.
 *
 * @param most how many characters at most, before and after the text.
 * @returns reads the rest too, and gives all of it.
 * @throws {Error} when it prints more; the stream is closed then.
 */
export async function printed(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  sought: string,
  most = MOST_CHARACTERS,
): Promise<() => Promise<string>> {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const readUntil = async (isEnough: () => boolean) => {
    for (let next; !isEnough() && !(next = await reader.read()).done;) {
      text += next.value;
      if (text.length <= most) continue;
      await reader.cancel();
      throw new Error(`It prints more than ${most} characters, at last: ${text.slice(-200)}`);
    }
    return text;
  };
  await readUntil(() => text.includes(sought));
  return () => readUntil(() => false);
}
