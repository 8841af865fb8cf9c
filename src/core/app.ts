import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { quoted, RekeyError } from "./errors.ts";

/** Where a file is that the build put beside the program's first module. */
export function embedded(name: string): URL {
  return new URL(`./${name}`, Deno.mainModule);
}

/**
 * Path of the program, as it is started: the executable, or, from sources, the launcher beside the first module that
 * `scripts/from_source.ts` makes; `undefined` where there is none.
 */
export function ownProgram(): string | undefined {
  if (Deno.build.standalone) return Deno.execPath();
  const launcher = fileURLToPath(embedded("rekey"));
  return existsSync(launcher) ? launcher : undefined;
}

/** The app whose secret it is when nobody says otherwise. */
export const DEFAULT_APP = "agiworkforce";

/** Names under which an app's secret is kept; existing installations already use them (design §1). */
export interface App {
  readonly name: string;
  /** Keyring service. */
  readonly service: string;
  /** Keyring account of the current version. */
  readonly account: string;
}

/** Folders that rekey writes to, by absolute path. */
export interface Folders {
  /** The database and its lock. */
  readonly data: string;
  /** Where the database would be if the operator did not name a folder. */
  readonly defaultData: string | undefined;
  /** Whether the operator named the data folder: then it may have other uses too. */
  readonly dataNamed: boolean;
  /** Generated key files: apart from the data, so that a copy of the database opens nothing. */
  readonly config: string | undefined;
  /** The unpacked keyring addon. */
  readonly cache: string | undefined;
}

/**
 * @throws {RekeyError} `usage` for a name that is no plain file name of lower-case letters, digits,
 * `-`, `_` and `.`.
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
