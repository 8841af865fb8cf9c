/**
 * The tables of README and of docs/security.md that come from the code. `deno run -RW scripts/readme.ts` writes
 * them; a unit test compares.
 */
import { codesOf, EXIT_STATUSES } from "../src/core/errors.ts";
import { PERMISSIONS } from "./permissions.ts";
import { touchRows } from "./touches/table.ts";

const README = new URL("../README.md", import.meta.url);
const SECURITY = new URL("../docs/security.md", import.meta.url);

/** Rows of the exit status table, one for each status. */
export function exitRows(): string[] {
  return Object.entries(EXIT_STATUSES).map(([exit, meaning]) => {
    const codes = codesOf(Number(exit));
    return `| ${exit} | ${meaning} | ${codes.map((code) => `\`${code}\``).join(" ")} |`;
  });
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
