import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { sample, THOROUGH } from "../support/process/sample.ts";

const ROOT = join(import.meta.dirname!, "../..");

Deno.test("each test that scripts/test or a task names is there", () => {
  for (const file of ["scripts/test", "deno.json"]) {
    const text = Deno.readTextFileSync(join(ROOT, file));
    const named = text.match(/tests\/[\w/]+_test\.ts/g) ?? [];
    assert.ok(named.length > 0, file);
    assert.deepEqual(named.filter((path) => !existsSync(join(ROOT, path))), [], file);
  }
});

Deno.test("the parts of a sample are all of it together, and none is empty", () => {
  const all = [..."abcdefg"];
  const parts = [3, 4, 5].map((first) => sample(all, 3, first));
  assert.deepEqual([...new Set(parts.flat())].sort(), all);
  assert.deepEqual(sample([], 2), []);
  if (!THOROUGH) assert.throws(() => sample(["a"], 2, 1), /has none/);
});
