import assert from "node:assert/strict";
import { join } from "node:path";

const PARTS = join(import.meta.dirname!, "../../dist/build");

// Bytes. V8 loads the code of all that each start evaluates, at about 30 instructions a byte: docs/performance.md.
const MOST = { "program.js": 500_000, "program.code": 685_000 };
const MOST_EMBEDDED = 1_520_000;

// Appended, where no start reads them.
const APPENDED = ["keyring.node.br", "rest.js", "rest.code"];

Deno.test("a start reads and evaluates no more of the program than it did", () => {
  const sizes = new Map(
    [...Deno.readDirSync(PARTS)].map(({ name }) => [name, Deno.statSync(join(PARTS, name)).size]),
  );
  for (const [name, most] of Object.entries(MOST)) {
    const size = sizes.get(name)!;
    assert.ok(size <= most, `${name} has ${size} bytes: load on demand what few commands need`);
  }
  for (const name of APPENDED) assert.ok(sizes.delete(name), name);
  const embedded = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  assert.ok(embedded <= MOST_EMBEDDED, `${embedded} bytes are embedded`);
});
