import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { checkPin, PINNED_DENO } from "../../scripts/denort.ts";

const read = (path: string) => Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));

Deno.test("the Deno of the scripts is the one that can put a program behind the pinned denort", () => {
  assert.match(read("scripts/deno.sh"), new RegExp(`^DENO_VERSION=${PINNED_DENO}$`, "m"));
  assert.match(read(`scripts/licenses/deno-${PINNED_DENO}.txt`), /the Deno authors/);
});

Deno.test("a denort that differs from its pinned hash in one bit is refused", () => {
  const file = new Uint8Array(1_000);
  const sha256 = createHash("sha256").update(file).digest("hex");
  const pin = { package: "p@1", file: "f", bytes: file.length, sha256 };
  checkPin(file, pin);
  file[500]! ^= 1;
  assert.throws(() => checkPin(file, pin), /Refused/);
  assert.throws(() => checkPin(file.subarray(0, 900), pin), /Refused/);
});
