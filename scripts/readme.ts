/**
 * The tables of README and of docs/security.md that come from the code. `deno run -RW scripts/readme.ts` writes
 * them; a unit test compares.
 */
import { codesOf, EXIT_STATUSES } from "../src/core/errors.ts";
import { PERMISSIONS } from "./permissions.ts";
import { touchRows } from "./touches/table.ts";

const README = new URL("../README.md", import.meta.url);
const SECURITY = new URL("../docs/security.md", import.meta.url);

// Characters of codes in a row; the formatter makes every row as wide as the widest.
const CODES_WIDTH = 110;

/** Rows of the exit status table; the codes of a status go on in rows without one. */
export function exitRows(): string[] {
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

/** Rows of the permission table. */
export function permissionRows(): string[] {
  return PERMISSIONS.map(([flag, reason]) => `| \`${flag}\` | ${reason} |`);
}

/** README with both tables put in after their headings. */
export function withTables(readme: string): string {
  return [["\n| exit ", exitRows()], ["\n| permission ", permissionRows()]]
    .reduce(
      (text, [heading, rows]) => replaceRows(text, heading as string, rows as string[]),
      readme,
    );
}

/** docs/security.md with its table put in after its heading. */
export function withTouches(security: string): string {
  return replaceRows(security, "\n| how ", touchRows());
}

function replaceRows(text: string, heading: string, rows: string[]): string {
  const start = text.indexOf(heading);
  if (start < 0) throw new Error(`There is no table ${heading}`);
  const head = text.slice(start).split("\n", 3).join("\n");
  const end = text.indexOf("\n\n", start + 1);
  return `${text.slice(0, start)}${head}\n${rows.join("\n")}${text.slice(end)}`;
}

if (import.meta.main) {
  Deno.writeTextFileSync(README, withTables(Deno.readTextFileSync(README)));
  Deno.writeTextFileSync(SECURITY, withTouches(Deno.readTextFileSync(SECURITY)));
}
