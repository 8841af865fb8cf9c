import assert from "node:assert/strict";
import { withTables, withTouches } from "../../scripts/readme.ts";

const readme = Deno.readTextFileSync(new URL("../../README.md", import.meta.url));

// The formatter pads cells.
const unpadded = (text: string) => text.replace(/ +/g, " ").replace(/-{3,}/g, "---");

Deno.test("README's tables of exit statuses and permissions are those of the code", () => {
  assert.equal(
    unpadded(withTables(readme)),
    unpadded(readme),
    "run `deno run -RW scripts/readme.ts`",
  );
});

Deno.test("the table of docs/security.md is the one that strace is held against", () => {
  const security = Deno.readTextFileSync(new URL("../../docs/security.md", import.meta.url));
  assert.equal(
    unpadded(withTouches(security)),
    unpadded(security),
    "run `deno run -RW scripts/readme.ts`",
  );
});

Deno.test("README gives every dependency a reason", () => {
  const config = Deno.readTextFileSync(new URL("../../deno.json", import.meta.url));
  const names = Object.keys(JSON.parse(config).imports);
  assert.ok(names.length > 0);
  for (const name of names) assert.ok(readme.includes(`\`${name}\``), name);
});
