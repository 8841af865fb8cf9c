import assert from "node:assert/strict";
import { join } from "node:path";
import { REKEY_ARM64 } from "../support/executables/arm64.ts";
import { REKEY } from "../support/process/box.ts";
import { must } from "../../scripts/program.ts";

// What docs/platforms.md names.
const GLIBC = 27;

for (const binary of [REKEY, REKEY_ARM64]) {
  Deno.test(`${binary.split("/").at(-1)} needs no newer glibc than is said`, async () => {
    const read = await must("/usr/bin/readelf", ["--version-info", "--wide", binary]);
    const needed = [...read.matchAll(/Name: GLIBC_2\.(\d+)/g)];
    assert.ok(needed.length > 5);
    assert.equal(Math.max(...needed.map(([, minor]) => Number(minor))), GLIBC);
    const said = Deno.readTextFileSync(join(import.meta.dirname!, "../../docs/platforms.md"));
    assert.ok(said.includes(`glibc 2.${GLIBC} `));
  });
}
