import assert from "node:assert/strict";
import { refusalFor } from "../../src/cli/refusal.ts";
import { RekeyError } from "../../src/core/errors.ts";
import { SYSTEM } from "../../src/system/system.ts";

const FEW = "this process may have only 64 files open, 50 of them inherited";

/** What is printed for an error where 50 of 64 files are inherited. */
function amongFew(error: unknown, debug = ""): RekeyError {
  const { processes } = SYSTEM;
  const { lackOfFiles } = processes;
  const before = Deno.env.get("REKEY_DEBUG") ?? "";
  processes.lackOfFiles = () => ({ why: FEW, inherited: 50 });
  Deno.env.set("REKEY_DEBUG", debug);
  try {
    return refusalFor(error);
  } finally {
    processes.lackOfFiles = lackOfFiles;
    Deno.env.set("REKEY_DEBUG", before);
  }
}

const BUG = new TypeError("x is not a function");

Deno.test("among few files an error without a reason is about them", () => {
  const { code, message, hint } = amongFew(BUG);
  assert.equal(code, "failed");
  assert.match(message, /^Cannot go on: .* only 64 files open, 50 of them inherited$/);
  assert.match(hint!, /`ulimit -n 114`/);
});

Deno.test("REKEY_DEBUG shows where it happened among few files too, and says that they are few", () => {
  const { code, message, hint } = amongFew(BUG, "1");
  assert.equal(code, "internal");
  assert.match(message, /: TypeError: x is not a function\n[^]*\n +at .*refusal_test/);
  assert.match(hint!, /report it.*only 64 files open, 50 of them inherited, which `ulimit -n 114`/);
});

Deno.test("an error with a reason of its own keeps it", () => {
  const { message, hint } = amongFew(new RekeyError("database_unusable", "Cannot open it"));
  assert.equal(message, "Cannot open it");
  assert.match(hint!, /^this process may have only 64 files open/);
  const { hint: same } = amongFew(new RekeyError("usage", "Cannot use that"));
  assert.equal(same, undefined);
});
