import { makeProgram } from "../../src/cli/program.ts";
import assert from "node:assert/strict";
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { LIBRARIES } from "../../scripts/bundle.ts";
import { VERSION } from "../../src/core/version.ts";

const SRC = join(import.meta.dirname!, "../../src");

function* sources(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* sources(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

// What is computed when a module is loaded: the values of its own variables, unless they are functions.
function loaded(source: string): string[] {
  const variables = source.match(/^(?:export )?(?:const|let) [^;]*;/gm) ?? [];
  return variables.filter((text) => !/=\s*(async )?\([^)]*\)[^=]*=>/.test(text));
}

Deno.test("no module makes a pattern of Unicode's properties before it is called", () => {
  let variables = 0;
  for (const path of sources(SRC)) {
    for (const text of loaded(Deno.readTextFileSync(path))) {
      variables++;
      // V8 looks the properties up when it makes the pattern: 2 ms at each start, once, for five patterns.
      assert.ok(!text.includes("\\p{"), `${path}: ${text}`);
    }
  }
  assert.ok(variables > 100, `only ${variables} variables were found`);
});

/** Names of values that a source takes from a library: in braces, as a namespace, or from an `import()`. */
function takenFrom(library: string, source: string): string[] {
  const braces = new RegExp(
    `(?:import|const) \\{([^}]*)\\} (?:from|= await import\\() ?"${library}"`,
    "g",
  );
  if (new RegExp(`import \\* as z from "${library}"`).test(source)) {
    const types = ["infer", "input", "output"];
    const names = [...source.matchAll(/\bz\.([a-z]\w*)/g)].map(([, name]) => name!);
    return names.filter((name) => !types.includes(name));
  }
  const members = source.matchAll(new RegExp(`\\(await import\\("${library}"\\)\\)\\.(\\w+)`, "g"));
  const names = [...source.matchAll(braces), ...members]
    .flatMap(([, inside]) => inside!.split(","));
  return names.map((name) => name.replace(/:.*/s, "").trim()).filter((name) => name !== "");
}

Deno.test("the scripts of the libraries have all that the sources take from them, and no more", () => {
  const sourceTexts = [...sources(SRC)].map((path) => Deno.readTextFileSync(path));
  for (const [library, names] of Object.entries(LIBRARIES)) {
    const taken = new Set(sourceTexts.flatMap((text) => takenFrom(library, text)));
    assert.deepEqual([...taken].sort(), [...names].sort(), library);
  }
});

Deno.test("no source imports another for what it does alone: the build leaves such an import out", () => {
  for (const path of sources(SRC)) {
    assert.doesNotMatch(Deno.readTextFileSync(path), /^import "/m, path);
  }
});

Deno.test("a line defines its own command only, also behind options of all commands", async () => {
  const defined = async (...line: string[]) =>
    (await makeProgram("0", () => Promise.resolve(), line)).commands.map((one) => one.name());
  for (const before of [[], ["--json"], ["-q", "--app", "status"], ["--app=x", "--no-color"]]) {
    assert.deepEqual(await defined(...before, "verify", "--sub", "issue"), ["verify"]);
    assert.deepEqual(await defined(...before, "--version", "verify"), []);
    for (const word of ["help", "complete", "verfy", "--frob", "--help", "--"]) {
      assert.ok((await defined(...before, word, "verify")).includes("issue"), word);
    }
  }
  assert.ok((await defined("--app", "verify")).includes("issue"));
});

Deno.test("the program's version is the project's, of which no start reads more", () => {
  assert.equal(VERSION, config.version);
});
