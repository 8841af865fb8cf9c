import assert from "node:assert/strict";
import { parseStrictJson, readStrictJson, StrictJsonError } from "../../src/core/strict_json.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);

Deno.test("JSON that is written as JSON.stringify writes it is known to be", () => {
  for (const text of ['{"sub":"a","exp":1800000000}', '{"a":[1.5,{"b":null}],"é":true}', "{}"]) {
    assert.deepEqual(readStrictJson(bytes(text)), { value: JSON.parse(text), isPlain: true });
  }
  for (const text of ['{"sub": "a"}', '{"b":1,"1":2}', '{"a":1e2}', '{"a":-0}', '{"a":"\\n"}']) {
    assert.deepEqual(readStrictJson(bytes(text)), { value: JSON.parse(text), isPlain: false });
  }
});

const refused: Record<string, string> = {
  "a number that is rounded to one of the same digits": '{"a":9007199254740993000}',
  "a number that is rounded": '{"a":9007199254740993}',
  "a lone surrogate": '{"a":"\\ud800"}',
  "a NUL": '{"a":"\\u0000"}',
  "a member name twice": '{"a":1,"a":1}',
  "65 levels": nested(65),
  "levels enough to end the stack": nested(200_000),
};
for (const [what, text] of Object.entries(refused)) {
  Deno.test(`${what}: refused, although JSON.stringify may write it so`, () => {
    assert.throws(() => parseStrictJson(bytes(text)), StrictJsonError);
  });
}

Deno.test("64 levels are accepted", () => {
  assert.deepEqual(readStrictJson(bytes(nested(64))).isPlain, true);
});
