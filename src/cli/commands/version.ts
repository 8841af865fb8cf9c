import { sqliteVersion } from "../../store/sqlite/write_ahead_log.ts";
import { type About, readAbout, readLicenses } from "../about.ts";
import type { Context } from "../context.ts";
import { table } from "../describe.ts";
import { type KnownFix, knownFixes } from "../known_fixes.ts";
import type { Output } from "../output.ts";

/** Flags of `rekey version`. */
export interface VersionFlags {
  readonly licenses?: boolean;
}

/** Says what the program is made of, or prints the licences of its parts. */
export function version({ licenses }: VersionFlags, { output, version }: Context): Promise<void> {
  if (licenses) printLicenses(output);
  else printVersion(output, version, readAbout());
  return Promise.resolve();
}

function printVersion(output: Output, version: string, about: About): void {
  const { deno, v8, typescript } = Deno.version;
  const { os, arch } = Deno.build;
  const sqlite = sqliteVersion();
  const fixes = knownFixes({ deno, sqlite, os });
  const { commit, modified, denort, addon, dependencies } = about;
  output.result({
    ...{ name: "rekey", version, commit, modified, os, arch },
    ...{ runtime: { deno, v8, typescript }, sqlite, fixes, denort, addon, dependencies },
  }, [
    `rekey ${version} (${origin(about)})`,
    `Deno ${deno}, V8 ${v8}, TypeScript ${typescript}, SQLite ${sqlite}, on ${os} ${arch}`,
    "",
    ...fixLines(fixes),
    "",
    ...table([["PACKAGE", "VERSION", "LICENCE"], ...rows(about)]),
    "",
    "`rekey version --licenses` prints their texts",
  ]);
}

// Whoever reads this wants to know what is missing; `--json` has the others too.
function fixLines(fixes: readonly KnownFix[]): string[] {
  const missing = fixes.filter(({ present }) => !present);
  const count = `${fixes.length - missing.length} of ${fixes.length} known fixes are in`;
  if (missing.length === 0) return [count];
  return [
    `${count}; not in:`,
    "",
    ...table([
      ["FAULT", "FIXED IN", "REKEY"],
      ...missing.map(({ id, fixedIn, rekey }) => [id, fixedIn, rekey]),
    ]),
  ];
}

function origin({ commit, modified }: About): string {
  if (commit === null) return "not built from a commit";
  return `commit ${commit.slice(0, 12)}${modified ? ", with changes" : ""}`;
}

function rows({ addon, dependencies }: About): string[][] {
  return [...dependencies, addon, ...addon.libraries]
    .map(({ name, version, license }) => [name, version, license]);
}

function printLicenses(output: Output): void {
  for (const license of readLicenses()) {
    const heading = `${license.of.join(", ")} (${license.license})`;
    output.result({ ...license }, [
      heading,
      "=".repeat(Math.min(heading.length, 100)),
      "",
      license.text,
      "",
      "",
    ]);
  }
}
