import assert from "node:assert/strict";
import type { Component } from "../../scripts/supply/components.ts";
import { type Facts, sbom } from "../../scripts/supply/sbom.ts";

const INTEGRITY = `sha512-${"A".repeat(86)}==`;

const FACTS: Facts = {
  about: {
    commit: "c".repeat(40),
    modified: false,
    denort: { version: "2.7.11", sha256: "d".repeat(64) },
    addon: {
      name: "@n/addon",
      version: "1.0.0",
      license: "MIT",
      integrity: INTEGRITY,
      requires: [],
      sha256: "e".repeat(64),
      libraries: [{ name: "libx", version: "1.2", license: "ISC OR MIT" }],
    },
    dependencies: [
      { name: "@s/b", version: "2.0.0", license: "ISC", integrity: INTEGRITY, requires: [] },
      {
        name: "a",
        version: "1.0.0",
        license: "MIT",
        integrity: INTEGRITY,
        requires: ["@s/b@2.0.0"],
      },
    ],
  },
  version: "0.1.0",
  runtime: { v8: "14.0" },
  sqlite: "3.49.1",
  sha256: "0123456789abcdef".repeat(4),
  crates: [
    { name: "top", version: "1.0.0", license: "MIT", requires: ["low@2.0.0+1"] },
    { name: "low", version: "2.0.0+1", license: "MIT", requires: [] },
  ],
  bundler: "2.7.11",
  direct: new Set(["a", "playwright-core"]),
  time: 1_700_000_000,
};

// deno-lint-ignore no-explicit-any
const document = sbom(FACTS) as any;
const refs: string[] = document.components.map((component: Component) => component["bom-ref"]);
const uses = (ref: string): string[] =>
  document.dependencies.find((one: { ref: string }) => one.ref === ref).dependsOn;

Deno.test("the same facts make the same document, and no clock or chance is in it", () => {
  assert.equal(JSON.stringify(sbom(FACTS)), JSON.stringify(document));
  assert.equal(document.metadata.timestamp, "2023-11-14T22:13:20.000Z");
  assert.equal(document.serialNumber, "urn:uuid:01234567-89ab-8def-8123-456789abcdef");
  const other = sbom({ ...FACTS, sha256: "f".repeat(64) });
  assert.notEqual(other.serialNumber, document.serialNumber);
});

Deno.test("every component is there once, with its place in the graph", () => {
  const main = document.metadata.component["bom-ref"];
  assert.equal(new Set(refs).size, refs.length);
  const placed = document.dependencies.map(({ ref }: { ref: string }) => ref);
  assert.deepEqual(placed.toSorted(), [main, ...refs].toSorted());
  for (const ref of placed) for (const used of uses(ref)) assert.ok(refs.includes(used), used);
  const reached = new Set<string>([main]);
  for (const ref of reached) for (const used of uses(ref)) reached.add(used);
  assert.equal(reached.size, refs.length + 1, "all can be reached from the program");
});

Deno.test("the program uses what the project names and not what that uses", () => {
  assert.deepEqual(uses("pkg:generic/rekey@0.1.0"), [
    "pkg:github/denoland/deno@v2.7.11",
    "pkg:npm/a@1.0.0",
    "pkg:npm/%40n/addon@1.0.0",
  ]);
  assert.deepEqual(uses("pkg:npm/a@1.0.0"), ["pkg:npm/%40s/b@2.0.0"]);
  assert.deepEqual(uses("pkg:npm/%40n/addon@1.0.0"), [
    "pkg:generic/libx@1.2",
    "pkg:cargo/top@1.0.0",
  ]);
  assert.deepEqual(uses("pkg:cargo/top@1.0.0"), ["pkg:cargo/low@2.0.0%2B1"]);
});

Deno.test("what is unknown about the runtime is stated", () => {
  const [denort] = document.components;
  assert.match(denort.description, /crates .* not listed/);
  assert.deepEqual(denort.hashes, [{ alg: "SHA-256", content: "d".repeat(64) }]);
  const incomplete = document.compositions
    .filter(({ aggregate }: { aggregate: string }) => aggregate === "incomplete");
  assert.deepEqual(incomplete, [{ aggregate: "incomplete", dependencies: [denort["bom-ref"]] }]);
});

Deno.test("licences are identifiers or expressions; hashes are in hex", () => {
  const named = (name: string) =>
    document.components.find((component: Component) => component.name === name);
  assert.deepEqual(named("b").licenses, [{ license: { id: "ISC" } }]);
  assert.equal(named("b").group, "@s");
  assert.deepEqual(named("libx").licenses, [{ expression: "ISC OR MIT" }]);
  assert.deepEqual(named("a").hashes, [{ alg: "SHA-512", content: "0".repeat(128) }]);
  assert.equal(named("addon").components[0].hashes[0].content, "e".repeat(64));
});
