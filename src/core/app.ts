import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { quoted, RekeyError } from "./errors.ts";

/** A file that the build has embedded beside the main module. */
export function embedded(name: string): URL {
  return new URL(`./${name}`, Deno.mainModule);
}

/**
 * Path of the executable. When rekey runs from source, the launcher beside the main module that `scripts/from_source.ts`
 * writes, or `undefined`.
 */
export function ownProgram(): string | undefined {
  if (Deno.build.standalone) return Deno.execPath();
  const launcher = fileURLToPath(embedded("rekey"));
  return existsSync(launcher) ? launcher : undefined;
}

/** The app if none is named. */
export const DEFAULT_APP = "agiworkforce";

/** Names under which an app's secret is stored. Existing installations use them, so they never change. */
export interface App {
  readonly name: string;
  /** Keyring service. */
  readonly service: string;
  /** Keyring account of the current version. */
  readonly account: string;
}

/** Absolute paths of the folders that rekey writes to. */
export interface Folders {
  /** The database and its lock. */
  readonly data: string;
  /** The data folder if the operator names none. */
  readonly defaultData: string | undefined;
  /** Whether the operator named the data folder, which may then have other uses too. */
  readonly dataNamed: boolean;
  /** Generated key files. Not in the data folder, so that a copy of that contains no key. */
  readonly config: string | undefined;
  /** The unpacked keyring addon. */
  readonly cache: string | undefined;
}

/**
 * @throws {RekeyError} `usage` unless the name has lower-case letters, digits, `-`, `_` and `.` only.
 */
export function appNamed(name: string): App {
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name)) {
    throw new RekeyError("usage", `Cannot use ${quoted(name)} as an app name`, {
      hint:
        "Use up to 64 lower-case letters, digits, '-', '_' and '.', starting with a letter or digit",
    });
  }
  const service = name === DEFAULT_APP ? "AGI Workforce" : name;
  return { name, service, account: `${name}.jwt_secret` };
}
