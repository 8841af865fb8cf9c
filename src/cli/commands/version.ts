import { sqliteVersion } from "../../store/sqlite/node_sqlite.ts";
import type { Context } from "../context.ts";
import { table } from "../format.ts";
import { type KnownFix, knownFixes } from "../runtime_cves.ts";
import type { Output } from "../output.ts";
import type { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { inflateSync } from "node:zlib";
import { embedded } from "../../core/app.ts";
import { RekeyError } from "../../core/errors.ts";

/** Flags of `rekey version`. */
export interface VersionFlags {
  readonly licenses?: boolean;
}

/** Shows the parts of the program, or prints their licences. */
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

// Lists missing fixes only; `--json` has all.
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
    output.text({ ...license }, [
      heading,
      "=".repeat(Math.min(heading.length, 100)),
      "",
      license.text,
      "",
      "",
    ]);
  }
}

/** An npm package that the program includes. */
export interface Package {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly license: string;
  /** Of the registry's archive, as in `deno.lock`. */
  readonly integrity: string;
  /** Its dependencies among these packages, as `name@version`. */
  readonly requires: readonly string[];
}

/** The native addon and its package. */
export interface Addon extends Package {
  /** Of the addon file. */
  readonly sha256: string;
  /** C libraries linked into it. */
  readonly libraries: readonly { name: string; version: string; license: string }[];
}

/** What the build records about itself. */
export interface About {
  /** `null` when not built from a commit. */
  readonly commit: string | null;
  /** Whether files differed from the commit. */
  readonly modified: boolean;
  /** The Deno runtime; SHA-256 is `null` where the runtime is not a separable part of the file. */
  readonly denort: { readonly version: string; readonly sha256: string | null };
  readonly addon: Addon;
  readonly dependencies: readonly Package[];
}

/** A licence text and the parts it applies to. */
export interface LicenseText {
  readonly of: readonly string[];
  readonly license: string;
  readonly text: string;
}

// Embedded by the build.
const ABOUT = "about.json";
const LICENSES = "licenses.json.deflate";

/** What this program is made of. */
export function readAbout(): About {
  return JSON.parse(read(ABOUT).toString());
}

/** The licences of its parts. */
export function readLicenses(): LicenseText[] {
  return JSON.parse(inflateSync(read(LICENSES)).toString());
}

function read(name: string): Buffer {
  try {
    return readFileSync(embedded(name));
  } catch (cause) {
    throw new RekeyError("failed", "Cannot list the parts of this program: it was not built", {
      hint: "Use a binary made by the build script; `rekey --version` always works",
      cause,
    });
  }
}
