import assert from "node:assert/strict";
import { join } from "node:path";
import { printable } from "../../src/core/encoding.ts";
import { FINDINGS, shellWord } from "../../src/doctor/findings.ts";
import { must } from "../../scripts/program.ts";

const read = (path: string) => Deno.readTextFileSync(join(import.meta.dirname!, "../..", path));

Deno.test("each finding of the doctor is provoked by a test, and explained", () => {
  const fleet = ["health", "faults", "partition", "damaged"].map((name) => `fleet/${name}`);
  const files = [
    "e2e/audit_to",
    "e2e/deliver_rotation",
    "e2e/doctor",
    "e2e/doctor_files",
    "e2e/doctor_secret",
    "e2e/exec_holders",
    "e2e/standby",
    "keyring/doctor",
    "keyring/wallets_job",
    "unit/large_log",
    ...fleet,
  ];
  const tests = files.map((file) => read(`tests/${file}_test.ts`)).join();
  const page = read("docs/doctor.md");
  for (const [code, { level, fixable }] of Object.entries(FINDINGS)) {
    assert.ok(tests.includes(`"${code}"`), `no test provokes ${code}`);
    const row = page.split("\n").find((line) => line.startsWith(`| \`${code}\``));
    assert.ok(row, `docs/doctor.md does not explain ${code}`);
    assert.equal(/\| +note +\|/.test(row) ? "note" : "wrong", level, code);
    assert.equal(/ `--fix`/.test(row), fixable, code);
  }
});

Deno.test("an argument quoted for a shell is one word, whatever it contains", async () => {
  const plain = ["plain/path-1.db", "a b", "it's", "$(x)", "`x`", "", "'", "a'b'c", "%d \\n"];
  const controls = [
    "\n",
    "a\nb",
    "-n\t$x %d \\101 'y' `z` \"ä\"",
    "\u202e\u{1f511}\x1b[2J",
    "-\x01",
  ];
  for (const text of [...plain, ...controls]) {
    const printed = await must("/bin/sh", ["-c", `printf '%s|' ${shellWord(text)}`]);
    assert.equal(printed, `${text}|`);
    if (!text.endsWith("\n")) assert.equal(printable(shellWord(text)), shellWord(text));
  }
});
