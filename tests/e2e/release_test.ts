import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import config from "../../deno.json" with { type: "json" };
import { cut } from "../../scripts/denort/cut.ts";
import { sectionOf } from "../../scripts/supply/sections.ts";
import type { Component } from "../../scripts/supply/components.ts";
import type { Package } from "../../src/cli/commands/version.ts";
import { packedAddon } from "../support/executables/addon.ts";
import { sqliteVersion } from "../../src/store/sqlite/node_sqlite.ts";
import { EMULATOR } from "../support/executables/arm64.ts";
import { Box, REKEY } from "../support/process/box.ts";
import { schema, validator } from "../support/executables/cyclonedx.ts";
import { THOROUGH } from "../support/process/sample.ts";
import { Sources } from "../support/executables/sources.ts";
import { must } from "../../scripts/program.ts";

/** What is released for a kind of machine. @param runner what starts the binary here, if anything does. */
function release(name: string, packages: readonly string[], runner?: readonly string[]) {
  const base = `rekey-${config.version}-${name}`;
  const at = (file: string) => `dist/release/${file}`;
  const binary = at(name.startsWith("windows") ? `${base}.exe` : base);
  const bill = at(`${base}.cdx.json`);
  return { name, binary, bill, runner, files: [binary, bill, ...packages.map(at)] };
}

const { version } = config;

const ALL = [
  release("linux-x64", [`rekey-${version}-linux-x64.tar.gz`, `rekey_${version}_amd64.deb`], []),
  release(
    "linux-arm64",
    [`rekey-${version}-linux-arm64.tar.gz`, `rekey_${version}_arm64.deb`],
    EMULATOR,
  ),
  release("darwin-x64", [`rekey-${version}-darwin-x64.tar.gz`]),
  release("darwin-arm64", [`rekey-${version}-darwin-arm64.tar.gz`]),
  release("windows-x64", [`rekey-${version}-windows-x64.zip`]),
];
// The build of each kind is tested elsewhere, and a whole release takes minutes.
const RELEASES = THOROUGH ? ALL : ALL.filter(({ name }) => name === "linux-x64");
const INSTALLER = "dist/release/install.sh";
const FILES = [...RELEASES.flatMap(({ files }) => files), INSTALLER];
const SUMS = "dist/release/SHA256SUMS";
// Compressing takes most of the time, and is the same program in both places.
const releasing = (releases: typeof ALL) =>
  [
    `"$DENO" task --quiet release`,
    ...releases === ALL ? [] : ["--quick", ...releases.map(({ name }) => name)],
  ].join(" ");
const RELEASE = releasing(RELEASES);

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const parsed = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));

/** The runtime of the binary under test: a build need not look for one again. */
function denort(folder: string): string {
  const path = join(folder, "denort");
  Deno.writeFileSync(path, cut(Deno.readFileSync(REKEY)).denort, { mode: 0o755 });
  return path;
}

/**
 * A copy of Deno's cache elsewhere: a build must not see where it is. npm is to make do with its own: in another year no
 * certificate is valid.
 */
async function otherCache(sources: Sources, box: Box): Promise<Record<string, string>> {
  const { denoDir } = JSON.parse(await must(Deno.execPath(), ["info", "--json"]));
  const folder = join(box.home, "deep/down/cache");
  Deno.mkdirSync(folder, { recursive: true });
  const parts = `"${denoDir}/npm" "${denoDir}/dl" "${folder}"`;
  await sources.must(`cp -rl ${parts} 2>/dev/null || cp -r ${parts}`);
  const cache = (await must("npm", ["config", "get", "cache"])).trim();
  return { DENO_DIR: folder, npm_config_cache: cache, npm_config_offline: "true" };
}

/** What a binary says of itself; of one that does not run here, what the build has put into it. */
async function about(sources: Sources, { name, binary, runner }: typeof RELEASES[number]) {
  if (runner === undefined) {
    const parts = parsed(sources.read(`dist/build-${name}/about.json`));
    return { ...parts, runtime: Deno.version, sqlite: sqliteVersion() };
  }
  const [program, ...args] = [...runner, join(sources.folder, binary), "version", "--json"];
  return JSON.parse(await must(program!, args));
}

/** The releases with what their binaries say of themselves, and their bills. */
function made(sources: Sources) {
  return Promise.all(RELEASES.map(async (release) => ({
    ...release,
    about: await about(sources, release),
    bill: parsed(sources.read(release.bill)),
  })));
}

// `deno task reproducible` compares them all.
const COMPARED = THOROUGH ? RELEASES : RELEASES.slice(0, 1);

Deno.test("a release", async (t) => {
  using box = new Box();
  const runtime = { DENORT_BIN: denort(box.home) };
  using here = await Sources.copied("here", runtime);
  using there = await Sources.copied("quite/else where/ö", runtime);
  await here.must(RELEASE);
  const all = await made(here);

  await t.step("has the same bytes wherever, whenever and by whomever it is built", async () => {
    const other = {
      HOME: box.home,
      ...await otherCache(there, box),
      TMPDIR: box.home,
      TZ: "Asia/Tokyo",
      LC_ALL: "C",
      LANG: "C",
    };
    const line = releasing(COMPARED);
    await there.must(`umask 077; exec faketime "2031-05-06 07:08:09" ${line}`, other);
    for (const file of [...COMPARED.flatMap(({ files }) => files), INSTALLER]) {
      assert.ok(Buffer.from(there.read(file)).equals(here.read(file)), file);
    }
  });

  await t.step("names the commit that it was built from", async () => {
    for (const { about, bill } of all) {
      await here.must(`test "$(git rev-parse HEAD)" = ${about.commit}`);
      assert.equal(about.modified, false);
      assert.equal(bill.metadata.timestamp, "2023-11-14T22:13:20.000Z", "the commit's time");
      const { properties } = bill.metadata.component;
      assert.deepEqual(properties, [{ name: "rekey:commit", value: about.commit }]);
    }
  });

  await t.step("has hashes of its files", async () => {
    await here.must("cd dist/release && sha256sum --check --strict --quiet SHA256SUMS");
    const lines = new TextDecoder().decode(here.read(SUMS)).split("\n");
    assert.deepEqual(lines.map((line) => line.slice(66)), [...FILES.map((f) => basename(f)), ""]);
    for (const { binary, bill } of all) {
      const [{ content }] = bill.metadata.component.hashes;
      assert.equal(content, sha256(here.read(binary)));
    }
  });

  await t.step("has bills of materials that CycloneDX 1.6 allows", () => {
    const validate = validator();
    const { enum: known } = schema("spdx");
    for (const { bill } of all) {
      for (const broken of [{ extra: 1 }, { components: [{ name: "x" }] }]) {
        assert.ok(!validate(Object.assign({}, bill, broken)), "the schema must refuse something");
      }
      const sound: boolean = validate(bill);
      assert.ok(sound, JSON.stringify(validate.errors, null, 1));
      const components: Component[] = bill.components;
      const expressions = components.flatMap(({ licenses }) => licenses!)
        .map((license) => "expression" in license ? license.expression : license.license.id);
      for (const id of expressions.join(" AND ").match(/[^\s()]+/g)!) {
        assert.ok(["OR", "AND", "WITH", ...known].includes(id), id);
      }
    }
  });

  for (const { name, about, bill } of all) {
    await t.step(`lists what the binary for ${name} says of itself, and its addon's crates`, () => {
      const components: Component[] = bill.components;
      const purls = components.map(({ purl }) => purl!);
      const npm = [...about.dependencies, about.addon].map(({ name, version }: Package) =>
        `pkg:npm/${name.replace("@", "%40")}@${version}`
      );
      assert.deepEqual(purls.filter((purl) => purl.startsWith("pkg:npm/")), npm);
      assert.ok(about.addon.name.includes(name.replace("windows", "win32")));
      const crates = purls.filter((purl) => purl.startsWith("pkg:cargo/"));
      assert.ok(crates.length > (name.startsWith("linux") ? 100 : 25), String(crates.length));
      const version = (name: string) => components.find((one) => one.name === name)?.version;
      assert.equal(version("denort"), about.runtime.deno);
      assert.equal(version("v8"), about.runtime.v8);
      assert.equal(version("sqlite"), about.sqlite);
      const [system] = name.split("-");
      const own = { linux: "zbus", darwin: "security-framework", windows: "windows-sys" };
      for (const [one, crate] of Object.entries(own)) {
        assert.equal(version(crate) !== undefined, one === system, crate);
      }
      assert.equal(version("libdbus") !== undefined, system === "linux");
      assert.ok(!version("openssl"));
      assert.equal(components[0]!.hashes![0]!.content, about.denort.sha256);
      for (const one of components) assert.ok(one.licenses?.length === 1, one.name);
    });
  }

  await t.step("is not made with a runtime that differs from the pinned one", async () => {
    const other = join(box.home, "other");
    const changed = Deno.readFileSync(runtime.DENORT_BIN);
    // Where it tells its compiler: it runs all the same.
    sectionOf(changed, ".comment")![0]! ^= 1;
    Deno.writeFileSync(other, changed, { mode: 0o755 });
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

Deno.test("no addon has code of the crates that its list names and its licences do not", () => {
  for (const packed of [packedAddon(), packedAddon("build-linux-arm64")]) {
    const text = new TextDecoder("latin1").decode(brotliDecompressSync(packed));
    assert.ok(text.includes("zbus") && !/openssl/i.test(text));
  }
});
