import assert from "node:assert/strict";
import { appNamed } from "../../src/core/app.ts";
import { isRekeyError } from "../../src/core/errors.ts";

Deno.test("the application's names are those that existing installations use", () => {
  const app = appNamed("agiworkforce");
  assert.equal(app.service, "AGI Workforce");
  assert.equal(app.account, "agiworkforce.jwt_secret");
});

Deno.test("another app has its own names", () => {
  const app = appNamed("acme");
  assert.deepEqual([app.service, app.account], ["acme", "acme.jwt_secret"]);
});

for (const name of ["", "..", "../x", "a/b", "A", "a b", ".hidden", "a".repeat(65), "a\0b"]) {
  Deno.test(`${JSON.stringify(name.slice(0, 8))} (${name.length}) is refused as an app name`, () => {
    assert.throws(() => appNamed(name), (error) => isRekeyError(error, "usage"));
  });
}
