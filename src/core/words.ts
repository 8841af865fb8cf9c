/** A number and its noun, of which the plural ends in "s": `1 row`, `2 rows`. */
export function numbered(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
