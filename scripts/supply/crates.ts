import { inflateSync } from "node:zlib";
import { sectionOf } from "./sections.ts";
import { checkLicense } from "./spdx.ts";

/** A Rust crate inside the addon. */
export interface Crate {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** `name@version` of those that it uses. */
  readonly requires: readonly string[];
}

/** As `cargo auditable` writes it. */
interface Recorded {
  readonly name: string;
  readonly version: string;
  readonly source: string;
  readonly kind?: "build";
  /** Places in the list. */
  readonly dependencies?: readonly number[];
}

// Recorded because another target would use them; none of their code is in the addon for this one.
const UNUSED = new Set(["foreign-types", "foreign-types-shared", "openssl", "openssl-sys"]);

const LIBRARY = /^## (\S+) (\S+) \(vendored C library\)$([\s\S]*?)(?=^## |$(?![\s\S]))/gm;

/**
 * The crates that the addon was linked from. The addon lists them itself (section `.dep-v0`), its package
 * tells their licences in a table.
 *
 * @throws {Error} for a crate without a licence, or with one that is not allowed.
 */
export function cratesIn(addon: Uint8Array, licenses: string): Crate[] {
  const section = sectionOf(addon, ".dep-v0");
  if (section === undefined) throw new Error("The addon does not say which crates it is made of");
  const { packages } = JSON.parse(new TextDecoder().decode(inflateSync(section)));
  const all = packages as Recorded[];
  // What only ran while it was built is not in it; the local one is the addon itself.
  const linked = ({ name, kind, source }: Recorded) =>
    kind !== "build" && source !== "local" && !UNUSED.has(name);
  return all.filter(linked).map(({ name, version, dependencies }) => ({
    name,
    version,
    license: checkLicense(`crate ${name}@${version}`, licenseOf(name, version, licenses)),
    requires: (dependencies ?? []).map((place) => all[place]!).filter(linked).map(nameOf).sort(),
  }));
}

/** The C libraries that the package says are linked in. @throws {Error} as {@linkcode cratesIn} does. */
export function vendoredIn(licenses: string): { name: string; version: string; license: string }[] {
  return [...licenses.matchAll(LIBRARY)].map(([, name, version, text]) => ({
    name: name!,
    version: version!,
    license: checkLicense(`${name}@${version}`, /licensed under\s+`([^`]+)`/.exec(text!)?.[1]),
  }));
}

const nameOf = ({ name, version }: Recorded) => `${name}@${version}`;

function licenseOf(name: string, version: string, licenses: string): string | undefined {
  const row = `| ${name} | ${version} | `;
  const start = licenses.indexOf(`\n${row}`);
  if (start < 0) return undefined;
  return licenses.slice(start + 1 + row.length).split(" |", 1)[0];
}
