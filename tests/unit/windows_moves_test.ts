import assert from "node:assert/strict";
import { join } from "node:path";
import { isRekeyError } from "../../src/core/errors.ts";
import { explainFiles } from "../../src/files/files.ts";
import { Box } from "../support/process/box.ts";
import { HANG_MS } from "../support/timing/pause.ts";
import { retryWhileOpen } from "../../src/system/windows/files.ts";

const refusal = (code: string) => Object.assign(new Error(code), { code });

Deno.test("a file that is open elsewhere for a moment is waited for", () => {
  const refusals = ["EBUSY", "EPERM", "EACCES"];
  let tries = 0;
  const done = retryWhileOpen([], () => {
    const code = refusals[tries++];
    if (code !== undefined) throw refusal(code);
    return "done";
  }, HANG_MS);
  assert.deepEqual([done, tries], ["done", 4]);
});

Deno.test("a file that stays open elsewhere is an error that says so", () => {
  using box = new Box();
  const path = join(box.home, "f");
  Deno.writeTextFileSync(path, "");
  const work = () => {
    throw refusal("EPERM");
  };
  const started = Date.now();
  assert.throws(() => explainFiles(path, () => retryWhileOpen([path], work, 100)), (error) => {
    assert.ok(isRekeyError(error, "database_unusable"));
    assert.match(error.message, /another program has it open$/);
    assert.match(error.hint!, /^End the programs that have it open/);
    return true;
  });
  assert.ok(Date.now() - started >= 100);
});

Deno.test("a read-only file is not reported as open elsewhere, and a missing file is reported at once", () => {
  using box = new Box();
  const held = () => {
    throw refusal("EPERM");
  };
  assert.throws(() => retryWhileOpen([box.home], held, 0), { code: "EPERM" });
  let tries = 0;
  assert.throws(() =>
    retryWhileOpen([box.home], () => {
      tries++;
      throw refusal("ENOENT");
    }, HANG_MS), { code: "ENOENT" });
  assert.equal(tries, 1);
});
