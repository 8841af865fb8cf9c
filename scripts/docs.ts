/**
 * Tables and lists in docs/ that are generated from the code. `deno run -RW scripts/docs.ts` writes them; a unit test
 * compares them.
 */
import { codesOf, EXIT_STATUSES } from "../src/core/errors.ts";
import { PERMISSIONS } from "./permissions.ts";
import { touchItems } from "./touches/table.ts";

/** A page with generated parts. */
export interface Generated {
  /** Path in the repository. */
  readonly path: string;
  /** Returns the page with its generated parts updated. */
  readonly filled: (page: string) => string;
}

export const GENERATED: readonly Generated[] = [
  { path: "docs/exit-codes.md", filled: (page) => withRows(page, "\n| exit ", exitRows()) },
  {
    path: "docs/permissions.md",
    filled: (page) => withItems(page, "\n## The list\n", permissionItems()),
  },
  {
    path: "docs/security.md",
    filled: (page) =>
      withItems(page, "\n## What each command opens, connects to and starts\n", touchItems()),
  },
];

// Longest list of codes in a row, in characters; the formatter makes all rows as wide as the widest.
const CODES_WIDTH = 110;

/** Rows of the table of exit statuses; rows without a status continue the codes of the last one. */
function exitRows(): string[] {
  return Object.entries(EXIT_STATUSES).flatMap(([exit, meaning]) => {
    const codes = codesOf(Number(exit)).map((code) => `\`${code}\``);
    const [first, ...others] = lines(codes, CODES_WIDTH);
    return [`| ${exit} | ${meaning} | ${first} |`, ...others.map((line) => `| | | ${line} |`)];
  });
}

function lines(words: string[], width: number): string[] {
  return words.reduce((lines, word) => {
    const longer = `${lines.at(-1)} ${word}`.trim();
    return longer.length > width ? [...lines, word] : [...lines.slice(0, -1), longer];
  }, [""]);
}

function permissionItems(): string[] {
  return PERMISSIONS.map(([flag, reason]) => `- \`${flag}\`: ${reason}`);
}

/** Replaces the rows of a table. */
function withRows(page: string, heading: string, rows: string[]): string {
  const start = placeOf(page, heading);
  const head = page.slice(start).split("\n", 3).join("\n");
  const end = page.indexOf("\n\n", start + 1);
  return `${page.slice(0, start)}${head}\n${rows.join("\n")}${page.slice(end)}`;
}

/** Replaces the list at the end of a section. */
function withItems(page: string, heading: string, items: string[]): string {
  const section = placeOf(page, heading);
  const next = page.indexOf("\n## ", section + 1);
  const end = next < 0 ? page.length : next;
  const start = page.slice(0, end).indexOf("\n- ", section);
  if (start < 0) throw new Error(`There is no list below ${heading.trim()}`);
  return `${page.slice(0, start)}\n${items.join("\n")}\n${page.slice(end)}`;
}

function placeOf(page: string, heading: string): number {
  const start = page.indexOf(heading);
  if (start < 0) throw new Error(`There is no ${heading.trim()}`);
  return start;
}

if (import.meta.main) {
  for (const { path, filled } of GENERATED) {
    const file = new URL(`../${path}`, import.meta.url);
    Deno.writeTextFileSync(file, filled(Deno.readTextFileSync(file)));
  }
}
