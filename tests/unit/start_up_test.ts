import assert from "node:assert/strict";
import { join } from "node:path";

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
