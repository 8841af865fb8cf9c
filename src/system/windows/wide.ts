/** Zero-terminated UTF-16, as Windows' calls take a text. */
export function wide(text: string): Uint16Array<ArrayBuffer> {
  // By units and not by characters, of which one may be two units.
  return Uint16Array.from({ length: text.length + 1 }, (_, i) => text.charCodeAt(i));
}
