/** A number and its noun, of which the plural ends in "s": `1 row`, `2 rows`. */
export function numbered(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

const MOST_NAMED = 3;

/** Names in a sentence: the first three, and how many more there are. */
export function firstOf(names: readonly string[]): string {
  const named = names.slice(0, MOST_NAMED).join(", ");
  return names.length > MOST_NAMED ? `${named} and ${names.length - MOST_NAMED} more` : named;
}
