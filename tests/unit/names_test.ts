import assert from "node:assert/strict";
import { isUsablePassword, preparedName, preparedPassword } from "../../src/users/names.ts";

const SAME: readonly (readonly [what: string, typed: string, stored: string])[] = [
  ["plain", "alice", "alice"],
  ["case is kept", "Alice", "Alice"],
  ["an address", "a.b+c@example.com", "a.b+c@example.com"],
  ["composed", "Ren\u00e9", "Ren\u00e9"],
  ["decomposed", "Rene\u0301", "Ren\u00e9"],
  ["angstrom has another code point", "a\u030a", "\u00e5"],
  ["fullwidth letters and digits", "\uff21\uff42\uff11", "Ab1"],
  ["halfwidth katakana with its mark", "\uff76\uff9e", "\u30ac"],
  ["the order of marks", "q\u0307\u0323", "q\u0323\u0307"],
  ["Hangul", "\u1112\u1161\u11ab", "\ud55c"],
  ["sharp s and final sigma", "\u00df\u03c2", "\u00df\u03c2"],
  ["a middle dot between two l", "l\u00b7l", "l\u00b7l"],
  ["Hebrew", "\u05d0\u05d1\u05d2", "\u05d0\u05d1\u05d2"],
  ["Arabic with digits at the end", "\u0639\u0644\u06457", "\u0639\u0644\u06457"],
  ["Arabic with a mark at the end", "\u0645\u064e", "\u0645\u064e"],
];

for (const [what, typed, stored] of SAME) {
  Deno.test(`a user name: ${what}`, () => {
    assert.equal(preparedName(typed), stored);
    assert.equal(preparedName(stored), stored, "prepared once, it stays");
  });
}

const REFUSED: readonly (readonly [what: string, name: string])[] = [
  ["nothing", ""],
  ["a space", "a b"],
  ["a space of another kind", "a\u00a0b"],
  ["the ideographic space, which width mapping makes a space", "a\u3000b"],
  ["a control character", "a\u0000b"],
  ["a line end", "a\nb"],
  ["a control character of the second half", "a\u0085b"],
  ["a dash first", "-a"],
  ["a fullwidth dash first", "\uff0da"],
  ["a soft hyphen", "a\u00adb"],
  ["a zero-width space", "a\u200bb"],
  ["a joiner", "a\u200db"],
  ["a mark that turns the direction", "a\u202eb"],
  ["a byte order mark", "\ufeffa"],
  ["what replaces a character", "a\ufffd"],
  ["half of a surrogate pair", "a\ud800"],
  ["one that is not assigned", "a\u{50000}"],
  ["no character", "a\ufdd0"],
  ["for private use", "a\ue000"],
  ["a ligature", "\ufb01n"],
  ["a symbol", "a\u2665"],
  ["a variation selector", "\u2764\ufe0f"],
  ["old Hangul alone", "\u1100"],
  ["a tatweel", "\u0645\u0640\u0645"],
  ["a middle dot elsewhere", "a\u00b7b"],
  ["both kinds of Arabic digits", "\u0645\u0661\u06f1"],
  ["letters of both directions", "a\u05d0"],
  ["a digit before Hebrew", "1\u05d0"],
  ["Hebrew that ends in a sign", "\u05d0!"],
  ["too long", "a".repeat(129)],
];

for (const [what, name] of REFUSED) {
  Deno.test(`no user name: ${what}`, () => assert.equal(preparedName(name), undefined));
}

Deno.test("a password: composed, other spaces are the usual one, and nothing else is changed", () => {
  assert.equal(preparedPassword("e\u0301\u00a0\u3000x"), "\u00e9  x");
  // As RFC 8265 has it in its examples: case, width and compatible forms tell passwords apart.
  for (
    const kept of ["Correct Horse", "\uff21", "\ufb01", "\u03c0\u00df\u00e5", "Jack of \u2666s"]
  ) {
    assert.equal(preparedPassword(kept), kept);
    assert.ok(isUsablePassword(kept), kept);
  }
  for (
    const refused of ["my cat is a \tby", "a\u0000", "\ud800", "a\u200b", "\ufeffa", "\u{50000}"]
  ) {
    assert.ok(!isUsablePassword(refused), JSON.stringify(refused));
  }
});
