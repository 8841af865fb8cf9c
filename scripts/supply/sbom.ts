import type { About } from "../../src/cli/commands/version.ts";
import {
  addonComponent,
  type Component,
  crateComponent,
  cratePurl,
  npmComponent,
  npmPurl,
  runtimeComponents,
  vendoredComponent,
} from "./components.ts";
import type { Crate } from "./crates.ts";

/** What the document is made of. */
export interface Facts {
  readonly about: About;
  readonly version: string;
  readonly runtime: { readonly v8: string };
  readonly sqlite: string;
  /** Of the released file, in hex. */
  readonly sha256: string;
  /** Those in the addon. */
  readonly crates: readonly Crate[];
  /** Version of the Deno that made the bundle; the one that compiled it has that of denort. */
  readonly bundler: string;
  /** Names of the npm packages that the project itself names. */
  readonly direct: ReadonlySet<string>;
  /** Seconds since the epoch; not the clock's: the same commit makes the same document. */
  readonly time: number;
}

interface Dependency {
  readonly ref: string;
  readonly dependsOn: readonly string[];
}

/** A CycloneDX 1.6 document of what is in a released binary. */
export function sbom(facts: Facts): Record<string, unknown> {
  const { about, crates } = facts;
  const runtime = runtimeComponents(about, { v8: facts.runtime.v8, sqlite: facts.sqlite });
  const addon = addonComponent(about.addon);
  const main = mainComponent(facts);
  const dependencies = graph(facts, main, addon, runtime);
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: serialNumber(facts.sha256),
    version: 1,
    metadata: metadata(facts, main),
    components: [
      ...runtime,
      ...about.dependencies.map(npmComponent),
      addon,
      ...about.addon.libraries.map(vendoredComponent),
      ...crates.map(crateComponent),
    ],
    dependencies,
    compositions: [
      { aggregate: "incomplete", dependencies: [runtime[0]["bom-ref"]] },
      {
        aggregate: "complete",
        dependencies: dependencies.map(({ ref }) => ref)
          .filter((ref) => ref !== runtime[0]["bom-ref"]),
      },
    ],
  };
}

function metadata({ about, bundler, time }: Facts, component: Component) {
  const denos = [...new Set([bundler, about.denort.version])];
  const tool = (name: string, version: string) => ({ type: "application", name, version });
  return {
    timestamp: new Date(time * 1000).toISOString(),
    lifecycles: [{ phase: "build" }],
    tools: {
      components: [
        tool("rekey scripts/release.ts", component.version!),
        ...denos.map((version) => tool("deno", version)),
      ],
    },
    component,
  };
}

function mainComponent({ about, version, sha256 }: Facts): Component {
  return {
    type: "application",
    "bom-ref": `pkg:generic/rekey@${version}`,
    name: "rekey",
    version,
    hashes: [{ alg: "SHA-256", content: sha256 }],
    purl: `pkg:generic/rekey@${version}`,
    properties: [{ name: "rekey:commit", value: about.commit ?? "unknown" }],
  };
}

function graph(
  { about, crates, direct }: Facts,
  main: Component,
  addon: Component,
  runtime: readonly Component[],
): Dependency[] {
  const ref = (component: Component) => component["bom-ref"];
  const npm = about.dependencies;
  const used = new Set(crates.flatMap(({ requires }) => requires));
  const roots = crates.map(({ name, version }) => `${name}@${version}`)
    .filter((id) => !used.has(id)).map(cratePurl);
  const named = npm.filter(({ name }) => direct.has(name)).map(npmComponent);
  const libraries = about.addon.libraries.map(vendoredComponent);
  return [
    { ref: ref(main), dependsOn: [runtime[0]!, ...named, addon].map(ref) },
    { ref: ref(runtime[0]!), dependsOn: runtime.slice(1).map(ref) },
    ...runtime.slice(1).map((one) => ({ ref: ref(one), dependsOn: [] })),
    ...npm.map(({ name, version, requires }) => ({
      ref: npmPurl(name, version),
      dependsOn: requires.map((id) => npmPurl(...split(id))),
    })),
    { ref: ref(addon), dependsOn: [...libraries.map(ref), ...roots] },
    ...libraries.map((one) => ({ ref: ref(one), dependsOn: [] })),
    ...crates.map(({ name, version, requires }) => ({
      ref: cratePurl(`${name}@${version}`),
      dependsOn: requires.map(cratePurl),
    })),
  ];
}

function split(id: string): [name: string, version: string] {
  const at = id.lastIndexOf("@");
  return [id.slice(0, at), id.slice(at + 1)];
}

// A UUID (version 8, RFC 9562) of the file's own hash: one file, one number.
function serialNumber(sha256: string): string {
  const [a, b, c, d, e] = [[0, 8], [8, 12], [13, 16], [17, 20], [20, 32]]
    .map(([from, to]) => sha256.slice(from, to));
  return `urn:uuid:${a}-${b}-8${c}-8${d}-${e}`;
}
