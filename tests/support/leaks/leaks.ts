import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import type { Box } from "../process/box.ts";
import { asTexts, isPair, spellingsOfPair } from "./private_keys.ts";

/** The ways in which a stored value's bytes may be written down: raw, base64, base64url and hex, as UTF-8 or UTF-16. */
export function spellings(value: string): Buffer[] {
  return isPair(value) ? spellingsOfPair(value) : spellingsOfSecret(value);
}

function spellingsOfSecret(base64: string): Buffer[] {
  const raw = Buffer.from(base64, "base64");
  assert.equal(raw.length, 64, "the test must look for a whole secret");
  // Without the last group, so that padding and line ends do not hide a hit.
  const hex = raw.toString("hex");
  const url = raw.toString("base64url");
  const texts = [base64.slice(0, 84), url.slice(0, 84), hex, hex.toUpperCase()];
  return [raw, ...asTexts(texts)];
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
  const has = finder(wanted);
  for (const [path, bytes] of files) assert.ok(!has(Buffer.from(bytes)), `found in ${path}`);
  for (const text of texts) assert.ok(!has(Buffer.from(text)), "found in output");
}
