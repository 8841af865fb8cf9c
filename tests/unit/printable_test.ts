import assert from "node:assert/strict";
import { printable, printableJson } from "../../src/core/encoding.ts";

// A line end, a terminal's CSI of one character, a mark that turns text round, a tag that is not seen, a line separator.
const AWKWARD = "a\n\u009b2J\u202e\u{e0041}\u2028\ud800 \u00e9\u{1f600}";

Deno.test("what is printed has no character that is not seen or that controls a terminal", () => {
  const seen = /^[^\p{C}\p{Zl}\p{Zp}]*$/u;
  assert.match(printable(AWKWARD), seen);
  assert.match(printableJson({ [AWKWARD]: AWKWARD }), seen);
});

Deno.test("JSON reads the same with those characters escaped, and others stay as they are", () => {
  assert.deepEqual(JSON.parse(printableJson({ [AWKWARD]: AWKWARD })), { [AWKWARD]: AWKWARD });
  const plain = { name: "\u00e9\u{1f600}", count: 1 };
  assert.equal(printableJson(plain), JSON.stringify(plain));
});
