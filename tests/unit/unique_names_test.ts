import assert from "node:assert/strict";
import { join, relative } from "node:path";

const SRC = join(import.meta.dirname!, "../../src");

/** Where an export bears the name of what it stands for, whatever else has that name. */
const NAMED_AFTER = [
  // What runs a command is called as the command is.
  /^cli\/commands\//,
  // A route is called as its path is.
  /^http\/routes\//,
  // Each system has its own implementation of the same interface.
  /^system\/(linux|macos|unix|windows)\//,
];

function* sources(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* sources(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

const DEFINITION =
  /^(export )?(?:async )?(?:class|function\*?|interface|type|const|let) ([A-Za-z_$][\w$]*)/gm;

/** Every file of `src` that defines a name, by name. */
function definitions(counts: (isExported: boolean, name: string) => boolean) {
  const found = new Map<string, string[]>();
  for (const path of sources(SRC)) {
    const file = relative(SRC, path);
    if (NAMED_AFTER.some((exception) => exception.test(file))) continue;
    for (const [, exported, name] of Deno.readTextFileSync(path).matchAll(DEFINITION)) {
      if (!counts(exported !== undefined, name!)) continue;
      found.set(name!, [...found.get(name!) ?? [], file]);
    }
  }
  return found;
}

Deno.test("no two files export the same name", () => {
  const found = definitions((isExported) => isExported);
  assert.ok(found.size > 500, "the test must have seen the exports");
  // The overloads of a function are in one file.
  const twice = [...found].filter(([, files]) => new Set(files).size > 1);
  assert.deepEqual(twice, []);
});

Deno.test("no type has the name of another one, exported or not", () => {
  const found = definitions((_, name) => /^[A-Z][a-z]/.test(name));
  const twice = [...found].filter(([, files]) => new Set(files).size > 1);
  assert.deepEqual(twice, []);
});
