import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { type ErrorCode, isRekeyError } from "../../src/core/errors.ts";
import { readInputText } from "../../src/files/input_files.ts";
import { newKek } from "../../src/store/sealed/kek.ts";
import { Box } from "../support/process/box.ts";

const KEY = Buffer.alloc(32, 7).toString("base64");

// PowerShell's > writes the first, some editors the second.
const WRITTEN = [
  ["little-endian", (text: string) => Buffer.from(`\ufeff${text}\r\n`, "utf16le")],
  ["big-endian", (text: string) => Buffer.from(`\ufeff${text}\r\n`, "utf16le").swap16()],
] as const;

const run = () => Promise.reject(new Error("no command is run"));

function says(code: ErrorCode) {
  return (error: unknown) => {
    assert.ok(isRekeyError(error, code), String(error));
    assert.match(error.message, /it is UTF-16, as PowerShell's > writes it$/);
    return true;
  };
}

function written(box: Box, bytes: Uint8Array): string {
  const path = join(box.home, "f");
  Deno.writeFileSync(path, bytes, { mode: 0o600 });
  return path;
}

for (const [order, encode] of WRITTEN) {
  Deno.test(`a key, a passphrase or a list in UTF-16, ${order}, is said to be that`, async () => {
    using box = new Box();
    const file = written(box, encode(KEY));
    await assert.rejects(newKek({ file, run }, undefined, "acme"), says("kek_invalid"));
    await assert.rejects(
      newKek({ passphraseFile: file, run }, undefined, "acme"),
      says("kek_invalid"),
    );
    assert.throws(() => readInputText(file), says("usage"));
  });
}

Deno.test("32 bytes that begin as UTF-16 does are a key all the same; so is text with a byte order mark", async () => {
  using box = new Box();
  for (
    const bytes of [Buffer.alloc(32, 1).fill("fffe", 0, 2, "hex"), Buffer.from(`\ufeff${KEY}\r\n`)]
  ) {
    const file = written(box, bytes);
    assert.match((await newKek({ file, run }, undefined, "acme")).kek.id, /^[\w-]{16}$/);
  }
});
