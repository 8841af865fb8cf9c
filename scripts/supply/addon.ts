import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import type { Addon } from "../../src/cli/about.ts";
import { vendoredIn } from "./crates.ts";
import type { Lockfile } from "./lockfile.ts";
import { described, type Unpacked, unpackedOf } from "./packages.ts";
import { textOf } from "./texts.ts";

// From Deno's own npm cache, where deno.lock has decided which version it is.
const require = createRequire(import.meta.resolve("@napi-rs/keyring"));

/** The keyring addon for this machine. */
export interface AddonFiles {
  /** The library itself. */
  readonly path: string;
  /** The package that it is the only file of. */
  readonly binary: Unpacked;
  /** The package that the project names, which has the licence's text. */
  readonly main: Unpacked;
}

/** Where the addon is. */
export function addonFiles(): AddonFiles {
  const { os, arch } = Deno.build;
  const name = `${os === "windows" ? "win32" : os}-${arch === "x86_64" ? "x64" : "arm64"}`;
  const abi = { linux: "-gnu", windows: "-msvc" }[os as string] ?? "";
  const path = require.resolve(`@napi-rs/keyring-${name}${abi}`);
  const [binary] = unpackedOf([path], "/nowhere");
  const [main] = unpackedOf([require.resolve("@napi-rs/keyring")], "/nowhere");
  return { path, binary: binary!, main: main! };
}

/** What is known of it. @throws {Error} when something in it has a licence that is not allowed. */
export function describedAddon({ path, binary }: AddonFiles, lock: Lockfile): Addon {
  const sha256 = createHash("sha256").update(Deno.readFileSync(path)).digest("hex");
  const libraries = vendoredIn(textOf(dirname(path)));
  return { ...described([binary], lock)[0]!, sha256, libraries };
}
