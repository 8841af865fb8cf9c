import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import type { Box } from "../process/box.ts";

/** The ways in which a secret's bytes may be written down: raw, base64, base64url and hex. */
export function spellings(base64: string): Buffer[] {
  const raw = Buffer.from(base64, "base64");
  assert.equal(raw.length, 64, "the test must look for a whole secret");
  // Without the last group, so that padding and line ends do not hide a hit.
  const hex = raw.toString("hex");
  const url = raw.toString("base64url");
  const texts = [base64.slice(0, 84), url.slice(0, 84), hex, hex.toUpperCase()];
  return [raw, ...texts.map((text) => Buffer.from(text))];
}

/**
 * Answers how to find whether any of so many texts, each of two bytes at least, is in a file. One pass over
 * the file does for all of them: a hunt has thousands.
 */
export function finder(needles: readonly Buffer[]): (bytes: Buffer) => boolean {
  const byBeginning: (Buffer[] | undefined)[] = new Array(2 ** 16);
  for (const needle of needles) (byBeginning[needle.readUInt16BE()] ??= []).push(needle);
  return (bytes) => {
    for (let beginning = 0, at = 0; at < bytes.length; at++) {
      beginning = (beginning << 8 | bytes[at]!) & 0xffff;
      if (at === 0) continue;
      for (const needle of byBeginning[beginning] ?? []) {
        if (bytes.subarray(at - 1, at - 1 + needle.length).equals(needle)) return true;
      }
    }
    return false;
  };
}

/** Fails when any spelling is in a file of the box (but for the keyring's own) or in one of `texts`. */
export function assertNowhere(box: Box, wanted: Buffer[], ...texts: string[]): void {
  const files = [...box.files()].filter(([path]) => !path.includes("/keyrings/"));
  assert.ok(files.some(([path]) => path.endsWith(".db")), "the database must be among the files");
  for (const [path, bytes] of files) {
    for (const spelling of wanted) {
      assert.ok(!Buffer.from(bytes).includes(spelling), `found in ${path}`);
    }
  }
  for (const text of texts) {
    for (const spelling of wanted) {
      assert.ok(!Buffer.from(text).includes(spelling), "found in output");
    }
  }
}
