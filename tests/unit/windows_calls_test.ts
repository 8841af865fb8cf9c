import assert from "node:assert/strict";
import { explainFiles } from "../../src/files/files.ts";
import { wide } from "../../src/system/windows/kernel.ts";

for (const text of ["", "C:\\a", "C:\\ä鍵", "C:\\🔑\\🔑🔑", "\ud83d", "a\ud83db"]) {
  Deno.test(`${JSON.stringify(text)} is given to Windows whole, and with its zero`, () => {
    const units = wide(text);
    assert.equal(units.length, text.length + 1);
    assert.equal(units.at(-1), 0);
    assert.equal(String.fromCharCode(...units.subarray(0, -1)), text);
  });
}

for (
  const [code, message] of [
    ["WINDOWS_53", "Cannot use P: Windows reports its error 53"],
    ["ENOTSUP", "Cannot use P: its file system cannot do that"],
  ]
) {
  Deno.test(`${code} is said in words`, () => {
    const refused = () => {
      throw Object.assign(new Error("x"), { code });
    };
    assert.throws(() => explainFiles("P", refused), { code: "database_unusable", message });
  });
}
