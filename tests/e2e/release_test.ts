import { Ajv } from "ajv";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { elfLength } from "../../scripts/denort.ts";
import { sectionOf } from "../../scripts/supply/elf.ts";
import type { Component } from "../../scripts/supply/components.ts";
import type { Package } from "../../src/cli/about.ts";
import { addon } from "../support/addon.ts";
import { Box, REKEY } from "../support/box.ts";
import { Sources } from "../support/sources.ts";

const BINARY = `dist/release/rekey-${config.version}-linux-x64`;
const BILL = `dist/release/rekey-${config.version}.cdx.json`;
const PACKAGES = [
  `dist/release/rekey-${config.version}-linux-x64.tar.gz`,
  `dist/release/rekey_${config.version}_amd64.deb`,
];
const FILES = [BILL, BINARY, ...PACKAGES, "dist/release/SHA256SUMS"];
const RELEASE = `"$DENO" task --quiet release`;

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const parsed = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));

/** A schema of CycloneDX's own, from its package. */
function schema(name: string) {
  const path = "@cyclonedx/cyclonedx-library/package.json";
  const found = createRequire(import.meta.resolve(path)).resolve(path);
  return parsed(Deno.readFileSync(join(found, `../res/schema/${name}.SNAPSHOT.schema.json`)));
}

function validator() {
  const formats = {
    "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/,
    "iri-reference": (text: string) => URL.canParse(text, "http://example.org"),
    "idn-email": /@/,
  };
  const ajv = new Ajv({ strict: false, formats });
  for (const name of ["spdx", "jsf-0.82", "cryptography-defs"]) {
    // Under the names that the package has given them.
    ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  }
  return ajv.compile(schema("bom-1.6"));
}

/** The runtime of the binary under test: a build need not look for one again. */
function denort(folder: string, name = "denort"): string {
  const binary = Deno.readFileSync(REKEY);
  const path = join(folder, name);
  Deno.writeFileSync(path, binary.subarray(0, elfLength(binary)), { mode: 0o755 });
  return path;
}

/** A copy of Deno's cache elsewhere: a build must not see where it is. */
async function otherCache(sources: Sources, box: Box): Promise<string> {
  const info = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { denoDir } = parsed(info.stdout);
  const folder = join(box.home, "deep/down/cache");
  Deno.mkdirSync(folder, { recursive: true });
  const parts = `"${denoDir}/npm" "${denoDir}/dl" "${folder}"`;
  await sources.must(`cp -rl ${parts} 2>/dev/null || cp -r ${parts}`);
  return folder;
}

Deno.test("a release", async (t) => {
  using box = new Box();
  const runtime = { DENORT_BIN: denort(box.home) };
  using here = await Sources.copied("here", runtime);
  using there = await Sources.copied("quite/else where/ö", runtime);
  await here.must(RELEASE);
  const about = parsed(
    (await new Deno.Command(join(here.folder, BINARY), {
      args: ["version", "--json"],
    }).output()).stdout,
  );
  const bill = parsed(here.read(BILL));

  await t.step("has the same bytes wherever, whenever and by whomever it is built", async () => {
    const other = {
      HOME: box.home,
      DENO_DIR: await otherCache(there, box),
      TMPDIR: box.home,
      TZ: "Asia/Tokyo",
      LC_ALL: "C",
      LANG: "C",
    };
    await there.must(`umask 077; exec faketime "2031-05-06 07:08:09" ${RELEASE}`, other);
    for (const file of FILES) assert.equal(sha256(there.read(file)), sha256(here.read(file)), file);
  });

  await t.step("names the commit that it was built from", async () => {
    await here.must(`test "$(git rev-parse HEAD)" = ${about.commit}`);
    assert.equal(about.modified, false);
    assert.equal(bill.metadata.timestamp, "2023-11-14T22:13:20.000Z", "the commit's time");
    const { properties } = bill.metadata.component;
    assert.deepEqual(properties, [{ name: "rekey:commit", value: about.commit }]);
  });

  await t.step("has hashes of its files", async () => {
    await here.must("cd dist/release && sha256sum --check --strict --quiet SHA256SUMS");
    const lines = new TextDecoder().decode(here.read("dist/release/SHA256SUMS")).split("\n");
    assert.deepEqual(
      lines.map((line) => line.slice(66)),
      [...[BINARY, BILL, ...PACKAGES].map((file) => basename(file)), ""],
    );
    const [{ content }] = bill.metadata.component.hashes;
    assert.equal(content, sha256(here.read(BINARY)));
  });

  await t.step("has a bill of materials that CycloneDX 1.6 allows", () => {
    const validate = validator();
    for (const broken of [{ extra: 1 }, { components: [{ name: "x" }] }]) {
      assert.ok(!validate(Object.assign({}, bill, broken)), "the schema must refuse something");
    }
    const sound: boolean = validate(bill);
    assert.ok(sound, JSON.stringify(validate.errors, null, 1));
    const { enum: known } = schema("spdx");
    const components: Component[] = bill.components;
    const expressions = components.flatMap(({ licenses }) => licenses!)
      .map((license) => "expression" in license ? license.expression : license.license.id);
    for (const id of expressions.join(" AND ").match(/[^\s()]+/g)!) {
      assert.ok(["OR", "AND", "WITH", ...known].includes(id), id);
    }
  });

  await t.step("lists in it what the binary says of itself, and the crates of its addon", () => {
    const components: Component[] = bill.components;
    const purls = components.map(({ purl }) => purl!);
    const npm = [...about.dependencies, about.addon].map(({ name, version }: Package) =>
      `pkg:npm/${name.replace("@", "%40")}@${version}`
    );
    assert.deepEqual(purls.filter((purl) => purl.startsWith("pkg:npm/")), npm);
    assert.ok(purls.filter((purl) => purl.startsWith("pkg:cargo/")).length > 100);
    for (const name of ["denort", "v8", "sqlite", "libdbus", "zbus"]) {
      assert.ok(components.some((one) => one.name === name), name);
    }
    assert.ok(!components.some(({ name }) => name === "openssl"));
    assert.equal(components[0]!.hashes![0]!.content, about.denort.sha256);
    for (const one of components) assert.ok(one.licenses?.length === 1, one.name);
  });

  await t.step("is not made with a runtime that differs from the pinned one", async () => {
    const other = denort(box.home, "other");
    const changed = Deno.readFileSync(other);
    // Where it tells its compiler: it runs all the same.
    sectionOf(changed, ".comment")![0]! ^= 1;
    Deno.writeFileSync(other, changed);
    const { code, stderr } = await here.run(RELEASE, { DENORT_BIN: other });
    assert.equal(code, 1);
    assert.match(stderr, /not the pinned one/);
    assert.ok(!existsSync(join(here.folder, "dist/release")));
  });

  await t.step("is not made of files that differ from the commit", async () => {
    Deno.writeTextFileSync(join(here.folder, "new.txt"), "");
    const { code, stderr } = await here.run(RELEASE);
    assert.equal(code, 1);
    assert.match(stderr, /not those of a commit/);
  });
});

Deno.test("the addon has no code of the crates that its list names and its licences do not", () => {
  const text = new TextDecoder("latin1").decode(addon());
  assert.ok(text.includes("zbus") && !/openssl/i.test(text));
});
