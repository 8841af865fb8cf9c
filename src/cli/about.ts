import type { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { inflateSync } from "node:zlib";
import { embedded } from "../core/app.ts";
import { RekeyError } from "../core/errors.ts";

/** An npm package whose code is in the program. */
export interface Package {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly license: string;
  /** Of the archive that the registry serves, as in `deno.lock`. */
  readonly integrity: string;
  /** Those of the others that it uses, as `name@version`. */
  readonly requires: readonly string[];
}

/** The native addon, and the package that it comes from. */
export interface Addon extends Package {
  /** Of the file itself. */
  readonly sha256: string;
  /** C libraries that are linked into it. */
  readonly libraries: readonly { name: string; version: string; license: string }[];
}

/** What the build writes down of itself. */
export interface About {
  /** `null` when it was not built from a commit. */
  readonly commit: string | null;
  /** Whether the files differed from those of the commit. */
  readonly modified: boolean;
  /** The Deno runtime in front of the program; no SHA-256 where it cannot be told from the rest. */
  readonly denort: { readonly version: string; readonly sha256: string | null };
  readonly addon: Addon;
  readonly dependencies: readonly Package[];
}

/** A licence's text, and what it is to be passed on with. */
export interface LicenseText {
  readonly of: readonly string[];
  readonly license: string;
  readonly text: string;
}

// Embedded by the build; only `rekey version` opens them.
const ABOUT = "about.json";
const LICENSES = "licenses.json.deflate";

/** What is in this program. */
export function readAbout(): About {
  return JSON.parse(read(ABOUT).toString());
}

/** The licences that are passed on with it. */
export function readLicenses(): LicenseText[] {
  return JSON.parse(inflateSync(read(LICENSES)).toString());
}

function read(name: string): Buffer {
  try {
    return readFileSync(embedded(name));
  } catch (cause) {
    throw new RekeyError("failed", "Cannot tell what this program is made of: it was not built", {
      hint: "Use a binary made by the build script; `rekey --version` works without",
      cause,
    });
  }
}
