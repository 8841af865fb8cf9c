import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname!, "../..");

Deno.test("each test that scripts/test or a task names is there", () => {
  for (const file of ["scripts/test", "deno.json"]) {
    const text = Deno.readTextFileSync(join(ROOT, file));
    const named = text.match(/tests\/[\w/]+_test\.ts/g) ?? [];
    assert.ok(named.length > 0, file);
    assert.deepEqual(named.filter((path) => !existsSync(join(ROOT, path))), [], file);
  }
});
