import { Buffer } from "node:buffer";
import type { About, Addon, Package } from "../../src/cli/commands/version.ts";
import type { Crate } from "./crates.ts";

/** A component of a CycloneDX document, as far as rekey's has any. */
export interface Component {
  readonly type: "application" | "file" | "library" | "platform";
  readonly "bom-ref": string;
  readonly group?: string;
  readonly name: string;
  readonly version?: string;
  readonly description?: string;
  readonly hashes?: readonly Hash[];
  readonly licenses?: readonly ({ license: { id: string } } | { expression: string })[];
  readonly purl?: string;
  readonly components?: readonly Component[];
  readonly properties?: readonly { name: string; value: string }[];
}

/** A hash in hex. */
export interface Hash {
  readonly alg: "SHA-256" | "SHA-512";
  readonly content: string;
}

/** An npm package; its hash is that of the archive that the registry serves. */
export function npmComponent({ name, version, license, integrity }: Package): Component {
  const [group, short] = name.startsWith("@") ? name.split("/") : [undefined, name];
  const purl = npmPurl(name, version);
  return {
    type: "library",
    "bom-ref": purl,
    ...(group === undefined ? {} : { group }),
    name: short!,
    version,
    hashes: [fromIntegrity(integrity)],
    licenses: licenses(license),
    purl,
  };
}

/** The addon's package with the one file of it that is in the program. */
export function addonComponent(addon: Addon): Component {
  const component = npmComponent(addon);
  const file: Component = {
    type: "file",
    "bom-ref": `${component["bom-ref"]}#keyring.node`,
    name: "keyring.node",
    hashes: [{ alg: "SHA-256", content: addon.sha256 }],
  };
  return { ...component, components: [file] };
}

/** A Rust crate in the addon. */
export function crateComponent({ name, version, license }: Crate): Component {
  const purl = cratePurl(`${name}@${version}`);
  return library(purl, name, version, license);
}

/** A C library in the addon. */
export function vendoredComponent(library_: Addon["libraries"][number]): Component {
  const { name, version, license } = library_;
  return library(`pkg:generic/${name}@${version}`, name, version, license);
}

/** The runtime, V8 and SQLite: what is known of what is in front of the program. */
export function runtimeComponents(
  { denort }: About,
  versions: { v8: string; sqlite: string },
): [denort: Component, v8: Component, sqlite: Component] {
  const purl = `pkg:github/denoland/deno@v${denort.version}`;
  return [
    {
      ...library(purl, "denort", denort.version, "MIT"),
      type: "platform",
      description:
        "Deno's runtime for compiled programs, a prebuilt executable. Which Rust crates it was " +
        "linked from is not recorded in it; they are not listed here, except V8 and SQLite",
      ...(denort.sha256 === null
        ? {}
        : { hashes: [{ alg: "SHA-256", content: denort.sha256 } as const] }),
    },
    library(`pkg:generic/v8@${versions.v8}`, "v8", versions.v8, "BSD-3-Clause"),
    library(`pkg:generic/sqlite@${versions.sqlite}`, "sqlite", versions.sqlite, "blessing"),
  ];
}

/** @param id `name@version`. */
export function npmPurl(name: string, version: string): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

/** @param id `name@version`. */
export function cratePurl(id: string): string {
  return `pkg:cargo/${id.replace("+", "%2B")}`;
}

function library(purl: string, name: string, version: string, license: string): Component {
  return { type: "library", "bom-ref": purl, name, version, licenses: licenses(license), purl };
}

function licenses(expression: string): NonNullable<Component["licenses"]> {
  return expression.includes(" ") ? [{ expression }] : [{ license: { id: expression } }];
}

function fromIntegrity(integrity: string): Hash {
  const [, base64] = /^sha512-(.+)$/.exec(integrity) ?? [];
  if (base64 === undefined) throw new Error(`Not a SHA-512: ${integrity}`);
  return { alg: "SHA-512", content: Buffer.from(base64, "base64").toString("hex") };
}
