import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { cut } from "../../scripts/denort/cut.ts";
import type { Lockfile } from "../../scripts/supply/lockfile.ts";
import config from "../../deno.json" with { type: "json" };
import type { LicenseText, Package } from "../../src/cli/commands/version.ts";
import { type KnownFix, knownFixes } from "../../src/cli/runtime_cves.ts";
import { addon } from "../support/executables/addon.ts";
import { Box, REKEY } from "../support/process/box.ts";
import { must } from "../../scripts/program.ts";

const ROOT = join(import.meta.dirname!, "../..");
const BUILD = join(ROOT, "dist/build");

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** The packages in the program as the bundler itself names them, in comments, when it does not minify. */
async function named(): Promise<string[]> {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  const args = ["bundle", "--quiet", "--platform", "deno", "--code-splitting", "--outdir", folder];
  await must(Deno.execPath(), [...args, "main.ts"], { cwd: ROOT });
  const found = new Set<string>();
  for (const { name } of Deno.readDirSync(folder)) {
    const comments = Deno.readTextFileSync(join(folder, name))
      .matchAll(/^ *\/\/ .*\/npm\/[^/]+\/((?:@[^/]+\/)?[^/]+)\/([^/]+)\//gm);
    for (const [, name, version] of comments) found.add(`${name}@${version}`);
  }
  Deno.removeSync(folder, { recursive: true });
  return [...found].sort();
}

const idOf = ({ name, version }: Package) => `${name}@${version}`;

Deno.test("version lists every package that is in the program, and none that is not", async () => {
  using box = new Box();
  const { dependencies } = await box.json("version");
  const ids: string[] = dependencies.map(idOf);
  assert.deepEqual(ids.toSorted(), await named());
  assert.ok(ids.length > 10 && !ids.some((id) => id.startsWith("playwright-core@")));
  const lock: Lockfile = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.lock")));
  for (const { integrity, license, name, requires, version } of dependencies as Package[]) {
    assert.equal(lock.npm[`${name}@${version}`]!.integrity, integrity);
    assert.match(license, /^(MIT|Apache-2\.0|BSD-[23]-Clause)$/);
    for (const id of requires) assert.ok(ids.includes(id), id);
  }
});

Deno.test("version knows the program, the runtime, SQLite and the addon", async () => {
  using box = new Box();
  const about = await box.json("version");
  const { deno, v8, typescript } = Deno.version;
  assert.equal(about.name, "rekey");
  assert.equal(about.version, config.version);
  assert.match(about.commit ?? "0".repeat(40), /^[0-9a-f]{40}$/);
  assert.deepEqual(about.runtime, { deno, v8, typescript });
  assert.match(about.sqlite, /^3\.\d+\.\d+$/);
  assert.deepEqual([about.os, about.arch], [Deno.build.os, Deno.build.arch]);
  const { os } = Deno.build;
  assert.deepEqual(about.fixes, knownFixes({ deno, sqlite: about.sqlite, os }));
  const binary = Deno.readFileSync(REKEY);
  assert.equal(about.denort.sha256, sha256(cut(binary).denort));
  assert.equal(about.addon.sha256, sha256(addon()));
  assert.deepEqual(about.addon.libraries.map(({ name }: { name: string }) => name), ["libdbus"]);
  assert.deepEqual([...box.files()], [], "it opens nothing of the user's");
});

Deno.test("version is short for people: program, runtime, commit, packages with licences", async () => {
  using box = new Box();
  const about = await box.json("version");
  const { stdout } = await box.run(["version"]);
  const [first, second, , fixes, ...rows] = stdout.split("\n");
  assert.ok(first!.startsWith(`rekey ${config.version} (`));
  if (about.commit !== null) assert.ok(first!.includes(about.commit.slice(0, 12)));
  assert.ok(second!.startsWith(`Deno ${Deno.version.deno}, V8 `), second);
  const has = (line: string) => rows.some((row) => row.split(/ +/).join(" ") === line);
  assert.ok(has("PACKAGE VERSION LICENCE"));
  for (const { name, version, license } of [...about.dependencies, about.addon]) {
    assert.ok(has(`${name} ${version} ${license}`));
  }
  const missing = (about.fixes as KnownFix[]).filter(({ present }) => !present);
  const count = about.fixes.length - missing.length;
  assert.ok(fixes!.startsWith(`${count} of ${about.fixes.length} known fixes are in`), fixes);
  for (const { id, fixedIn, rekey } of missing) assert.ok(has(`${id} ${fixedIn} ${rekey}`), id);
});

Deno.test("the licences of all parts are passed on with the program", async () => {
  using box = new Box();
  const { dependencies, addon, runtime } = await box.json("version");
  const { stdout } = await box.run(["version", "--licenses", "--json"]);
  const texts: LicenseText[] = stdout.trim().split("\n").map((line) => JSON.parse(line));
  const covered = texts.flatMap(({ of }) => of);
  for (const { name, version } of [...dependencies, addon]) {
    assert.ok(covered.includes(`${name} ${version}`), name);
  }
  for (const part of [`Deno ${runtime.deno}`, `V8 ${runtime.v8}`]) {
    assert.ok(covered.includes(part), part);
  }
  for (const { of, text } of texts) assert.match(text, /copyright|©/i, of.join());
  assert.ok(texts.some(({ text }) => text.includes("Academic Free License")), "libdbus's");
  const human = (await box.run(["version", "--licenses"])).stdout;
  for (const { text } of texts) assert.ok(human.includes(text));
});

Deno.test("what the version command needs costs other commands little", () => {
  const names = [...Deno.readDirSync(BUILD)].map(({ name }) => name)
    .filter((name) => name.endsWith(".js"));
  const sizes = ["about.json", "licenses.json.deflate"]
    .map((name) => Deno.statSync(join(BUILD, name)).size);
  assert.ok(Math.max(...sizes) < 40_000, "every start goes through all that is embedded");
  const script = (name: string) => Deno.readTextFileSync(join(BUILD, name));
  assert.ok(!names.some((name) => /THE SOFTWARE IS PROVIDED/.test(script(name))));
});
