import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ERROR_TABLE, type ErrorCode } from "../../src/core/errors.ts";
import type { WindowsBox } from "../support/windows/box.ts";
import { onWindows } from "../support/windows/tests.ts";

/** Command lines that are refused, with the code of the refusal. */
const REFUSED: readonly (readonly [code: ErrorCode, ...args: string[]])[] = [
  ["usage", "frobnicate"],
  ["usage", "rotate"],
  ["usage", "status", "--app", "CON"],
  ["usage", "init", "--app", "nul"],
  ["usage", "backup"],
  ["database_unusable", "backup", "no folder\\copy.db"],
  ["backup_unusable", "restore", "missing.db", "--force"],
  ["usage", "import", "--file", "missing.env"],
  ["not_initialised", "status", "--app", "other"],
  ["database_unusable", "init", "--data-dir", "Q:\\x"],
  ["database_unusable", "init", "--data-dir", "\\\\localhost\\none\\x"],
  ["usage", "serve", "--listen", "127.0.0.1:99999"],
  ["malformed", "verify", ""],
];

async function codeOf(box: WindowsBox, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await box.run([...args, "--json"]);
  assert.doesNotMatch(stdout + stderr, /\bat .*:\d+:\d+|internal error|Uncaught|panic|ext:/);
  const line = stdout === "" ? stderr : stdout;
  const said = JSON.parse(line.trim().split("\n").at(-1)!);
  const found: ErrorCode = said.code ?? said.error.code;
  assert.equal(code, ERROR_TABLE[found].exit, `${args.join(" ")}: ${found}`);
  return found;
}

onWindows(
  "what cannot be done is refused with its code and exit status, and changes nothing",
  async (box) => {
    await box.json("init");
    const { kid } = await box.json("status");
    const found: string[] = [];
    for (const [, ...args] of REFUSED) found.push(`${await codeOf(box, args)}: ${args.join(" ")}`);
    assert.deepEqual(found, REFUSED.map(([code, ...args]) => `${code}: ${args.join(" ")}`));
    assert.equal((await box.json("status")).kid, kid);
  },
  ["database"],
);

onWindows(
  "files that are not databases, and texts that are not tokens, are refused",
  async (box) => {
    await box.json("init");
    const token = await box.token();
    for (const text of ["", "SQLite format 3\0", "x".repeat(10_000)]) {
      Deno.writeTextFileSync(`${box.home}/copy.db`, text);
      const { code, stderr } = await box.run(["restore", "copy.db", "--force"]);
      assert.equal(code, 1, stderr);
      assert.match(stderr, /^error: [^\n]+\nhint: [^\n]+\n$/);
    }
    const noise = Buffer.from(Array.from({ length: 5_000 }, (_, index) => index % 256));
    assert.equal((await box.run(["verify", "-"], { stdin: noise })).code, 3);
    assert.equal((await box.json("verify", token)).valid, true);
  },
  ["keyring"],
);
