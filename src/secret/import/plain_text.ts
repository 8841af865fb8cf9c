// These look at texts that others have written: no pattern tries a long run of characters again from each of them.

/** Source of a pattern's beginning, with the flag `m`: a line's beginning with the blanks there, which end no line. */
export const LINE_START = "^[^\\S\\n\\r\\u2028\\u2029]*";

/** A text with line ends for the `\n` and `\r` that variables have in their place. */
export function withLineEnds(text: string): string {
  return text.replace(/(?<!\\)\\+[rn]/g, "\n");
}

/** What stands between the quotes that a text begins and ends with; `undefined` without them. */
export function betweenQuotes(text: string): string | undefined {
  return /^(["'`])([\s\S]*)\1$/.exec(text)?.[2];
}

/**
 * A text with each run of white space that is longer than any value shortened to `most` characters: parsers of settings
 * files try it again from each of its lines.
 */
export function withShortBlanks(text: string, most: number): string {
  const run = new RegExp(`(?<!\\s)(\\s{${most}})\\s+`, "g");
  return text.replace(run, "$1");
}

/** Base64 or base32 without the padding at its end. */
export function withoutPadding(text: string): string {
  return text.replace(/(?<!=)=+$/, "");
}
