import assert from "node:assert/strict";
import { join } from "node:path";
import { joined, NAMED_MODULES, scriptsOfChunks } from "../../scripts/chunks.ts";

/** Chunks as the bundler writes them; those that a script needs by name are there too. */
function chunksIn(folder: string, chunks: Record<string, string>): void {
  for (const name of NAMED_MODULES) Deno.writeTextFileSync(join(folder, `${name}.js`), "");
  for (const [name, text] of Object.entries(chunks)) {
    Deno.writeTextFileSync(join(folder, `${name}.js`), text);
  }
}

type Body = (require: (name: string) => unknown, module: { exports: unknown }) => void;

/** Loads a chunk of joined scripts; what is not a chunk is given. */
function load(scripts: readonly string[], given: Record<string, unknown>) {
  const bodies: Record<string, Body> = {};
  for (const script of scripts) {
    const module = { exports: {} };
    new Function("module", script)(module);
    Object.assign(bodies, module.exports);
  }
  const loaded: string[] = [];
  const require = (name: string): unknown => {
    if (Object.hasOwn(given, name)) return given[name];
    const module = { exports: {} };
    loaded.push(name);
    bodies[name]!(require, module);
    return module.exports;
  };
  return { require, loaded };
}

Deno.test("chunks become functions that load what they import, each in its script", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  chunksIn(folder, {
    main: `import{a as x}from"./chunk-SHARED00.js";import"./chunk-UNNAMED0.js";import{join as j}` +
      `from"node:path";var late=()=>import("./late-00000000.js");export{x as start,late,j as b};`,
    "chunk-SHARED00":
      `import q from"node:path";import*as z from"zod";function f(){return[q.sep,z.n]}export{f as a};`,
    "chunk-UNNAMED0": `throw new Error("not needed");`,
    "late-00000000": `import{a}from"./chunk-SHARED00.js";var v=a();export{v as value};`,
  });
  const scripts = scriptsOfChunks(folder);
  assert.equal(scripts.get("chunk-SHARED00"), "program");
  assert.equal(scripts.get("late-00000000"), "rest");
  const texts = ["program", "rest"].map((script) => joined(folder, scripts, script));
  const join_ = () => {};
  const given = { "node:path": { default: { sep: "/" }, join: join_ }, zod: { n: 1 } };
  const { require, loaded } = load(texts, given);
  const main = require("program:main") as Record<string, () => unknown>;
  assert.equal(main.b, join_);
  assert.deepEqual(main.start!(), ["/", 1]);
  assert.deepEqual(loaded, ["program:main", "program:chunk-1"]);
  assert.deepEqual(await main.late!(), { value: ["/", 1] });
  assert.ok(loaded.some((name) => name.startsWith("rest:late-")));
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a chunk that waits for another one while it is loaded has it at once", () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  chunksIn(folder, {
    main: `var s=self?(await import("./late-00000000.js")).value:0;export{s as system};`,
    "late-00000000": `var v=7;export{v as value};`,
  });
  const scripts = scriptsOfChunks(folder);
  const texts = ["program", "rest"].map((script) => joined(folder, scripts, script));
  assert.deepEqual(load(texts, {}).require("program:main"), { system: 7 });
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("chunks that import each other are refused", () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  chunksIn(folder, {
    main: `import{a}from"./chunk-AAAAAAAA.js";`,
    "chunk-AAAAAAAA": `import{b}from"./chunk-BBBBBBBB.js";export{b as a};`,
    "chunk-BBBBBBBB": `import{a}from"./chunk-AAAAAAAA.js";export{a as b};`,
  });
  assert.throws(() => scriptsOfChunks(folder), /import each other/);
  Deno.removeSync(folder, { recursive: true });
});
