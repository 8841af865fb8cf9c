import assert from "node:assert/strict";
import { join } from "node:path";
import { cratesIn, vendoredIn } from "../../scripts/supply/crates.ts";
import { type Lockfile, required } from "../../scripts/supply/lockfile.ts";
import { described, unpackedOf } from "../../scripts/supply/packages.ts";
import { takeSources } from "../../scripts/supply/sources.ts";
import { ALLOWED, checkLicense, isAllowed } from "../../scripts/supply/spdx.ts";
import { textOf, textsOf } from "../../scripts/supply/texts.ts";

/** A folder with these files in it. */
function folderOf(files: Record<string, string>): string {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  for (const [name, content] of Object.entries(files)) {
    Deno.writeTextFileSync(join(folder, name), content);
  }
  return folder;
}

Deno.test("a licence is allowed when its expression leaves a way that is", () => {
  const allowed = [
    "MIT",
    "AFL-2.1 OR GPL-2.0-or-later",
    "GPL-3.0-only OR (MIT AND ISC)",
    "(MIT OR Apache-2.0) AND Unicode-3.0",
    "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
  ];
  const refused = [
    undefined,
    "",
    "UNLICENSED",
    "SEE LICENSE IN LICENSE.md",
    "GPL-3.0-only",
    "mit",
    "MIT AND GPL-3.0-only",
    "MIT OR",
    "MIT OR AND ISC",
    "(MIT",
    "MIT)",
    "MIT ISC",
    "OR MIT",
    "MIT WITH Classpath-exception-2.0",
    { type: "MIT" },
  ];
  for (const expression of allowed) assert.ok(isAllowed(expression), expression);
  for (const expression of refused) assert.ok(!isAllowed(expression), JSON.stringify(expression));
  assert.throws(() => checkLicense("left-pad@1.0.0", undefined), /left-pad@1\.0\.0 has no licence/);
  assert.throws(() => checkLicense("a@1", "GPL-3.0-only"), /a@1 has the licence GPL-3\.0-only/);
});

Deno.test("the documentation names every licence that is allowed", () => {
  const page = new URL("../../docs/supply-chain.md", import.meta.url);
  const text = Deno.readTextFileSync(page);
  for (const id of ALLOWED) assert.ok(text.includes(id), id);
});

const LOCK: Lockfile = {
  npm: {
    "a@1.0.0": { integrity: "sha512-YQ==", dependencies: ["@s/b@2.0.0", "c"] },
    "@s/b@2.0.0_peer@1.0.0": { integrity: "sha512-Yg==" },
    "c@3.0.0": { integrity: "sha512-Yw==" },
  },
};

Deno.test("source files tell which packages are in the program", () => {
  const cache = "/x/npm/registry.example";
  const found = unpackedOf([
    "/source/main.ts",
    `${cache}/@s/b/2.0.0/lib/x.js`,
    `${cache}/@s/b/2.0.0/index.js`,
    `${cache}/a/1.0.0/src/deep/npm/y.ts`,
  ], "/source");
  assert.deepEqual(found, [
    { name: "@s/b", version: "2.0.0", folder: `${cache}/@s/b/2.0.0` },
    { name: "a", version: "1.0.0", folder: `${cache}/a/1.0.0` },
  ]);
  for (const stranger of ["/elsewhere/x.js", "/sources/x.js", "/x/npm/a/1.0.0/x.js"]) {
    assert.throws(() => unpackedOf([stranger], "/source"), /in no package/);
  }
});

Deno.test("a package without a licence, with another one, or that is not locked ends the build", () => {
  const folder = folderOf({ "package.json": `{"license":"MIT"}` });
  const a = { name: "a", version: "1.0.0", folder };
  assert.deepEqual(described([a, { ...a, name: "c", version: "3.0.0" }], LOCK), [
    {
      name: "a",
      version: "1.0.0",
      license: "MIT",
      integrity: "sha512-YQ==",
      requires: ["c@3.0.0"],
    },
    { name: "c", version: "3.0.0", license: "MIT", integrity: "sha512-Yw==", requires: [] },
  ]);
  assert.throws(() => described([{ ...a, version: "1.0.1" }], LOCK), /a@1\.0\.1 .*deno\.lock/);
  for (const content of ["{}", `{"license":"AGPL-3.0-only"}`]) {
    const changed = { ...a, folder: folderOf({ "package.json": content }) };
    assert.throws(() => described([changed], LOCK), /a@1\.0\.0 has .*licence/);
    Deno.removeSync(changed.folder, { recursive: true });
  }
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("what a package requires is looked for by name, and by version where there are several", () => {
  const present = ["@s/b@1.0.0", "@s/b@2.0.0", "c@3.0.0", "cc@3.0.0"];
  assert.deepEqual(required(LOCK.npm["a@1.0.0"]!, present), ["@s/b@2.0.0", "c@3.0.0"]);
  const peers = { integrity: "", dependencies: ["@s/b@2.0.0_peer@1.0.0"] };
  assert.deepEqual(required(peers, present), ["@s/b@2.0.0"]);
});

Deno.test("licences and notices are passed on, each text once; a package without any ends the build", () => {
  const one = folderOf({ "LICENSE.md": "text\n", "NOTICE": "and this", "index.js": "code" });
  const same = folderOf({ "licence": "text\n\nand this" });
  const none = folderOf({ "index.js": "code" });
  assert.equal(textOf(one), "text\n\nand this");
  const packages = [one, same].map((folder, index) => ({
    name: `p${index}`,
    version: "1.0.0",
    folder,
    license: "MIT",
  }));
  assert.deepEqual(textsOf(packages), [
    { of: ["p0 1.0.0", "p1 1.0.0"], license: "MIT", text: "text\n\nand this" },
  ]);
  assert.throws(() => textOf(none), /no licence text/);
  for (const folder of [one, same, none]) Deno.removeSync(folder, { recursive: true });
});

Deno.test("a part without a source map ends the build, and no map is shipped", async () => {
  const map = JSON.stringify({ sources: ["b.ts", "../src/a.ts"] });
  const folder = folderOf({ "main.js": "", "main.js.map": map });
  assert.deepEqual(await takeSources(folder), [
    join(folder, "b.ts"),
    join(folder, "../src/a.ts"),
  ]);
  assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["main.js"]);
  await assert.rejects(takeSources(folder), Deno.errors.NotFound);
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("an addon that does not list its crates ends the build; libraries are read from its licences", () => {
  assert.throws(() => cratesIn(new Uint8Array(100), ""), /does not say/);
  const section = (license: string) =>
    `## a 1\ntext\n\n## libx 1.2 (vendored C library)\n\nFrom \`x-sys\`, licensed under\n\`${license}\`.\n`;
  assert.deepEqual(vendoredIn(section("ISC")), [{ name: "libx", version: "1.2", license: "ISC" }]);
  assert.throws(() => vendoredIn(section("GPL-2.0-only")), /libx@1\.2 has the licence GPL/);
  assert.deepEqual(vendoredIn("# nothing"), []);
});
