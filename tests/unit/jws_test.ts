import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import fc from "fast-check";
import { isRekeyError } from "../../src/core/errors.ts";
import { MAX_TOKEN_LENGTH, parseJws } from "../../src/jwt/jws.ts";

const b64 = (text: string | Uint8Array) => Buffer.from(text).toString("base64url");
const HEADER = b64('{"alg":"HS512"}');
const PAYLOAD = b64('{"sub":"a"}');
const SIGNATURE = b64(new Uint8Array(64));
const withHeader = (json: string | Uint8Array) => `${b64(json)}.${PAYLOAD}.${SIGNATURE}`;
const withPayload = (json: string | Uint8Array) => `${HEADER}.${b64(json)}.${SIGNATURE}`;

Deno.test("a token in good form is taken apart", () => {
  const { header, payload } = parseJws(`${HEADER}.${PAYLOAD}.${SIGNATURE}`);
  assert.deepEqual([header, payload], [{ alg: "HS512" }, { sub: "a" }]);
});

Deno.test("claims are passed on as they are encoded only if rekey would encode them so", () => {
  const plain = '{"sub":"é","exp":1}';
  assert.equal(parseJws(withPayload(plain)).plainPayload, b64(plain));
  for (const other of ['{"sub": "a"}', '{"sub":"a","1":2}', '{"n":1e2}', '{"sub":"\\u0061"}']) {
    assert.equal(parseJws(withPayload(other)).plainPayload, undefined, other);
  }
});

const malformed: Record<string, string> = {
  "an empty token": "",
  "one part": HEADER,
  "two parts": `${HEADER}.${PAYLOAD}`,
  "four parts": `${HEADER}.${PAYLOAD}.${SIGNATURE}.`,
  "five parts, as a JWE has": `${HEADER}.a.b.c.d`,
  "an empty header": `.${PAYLOAD}.${SIGNATURE}`,
  "an empty payload": `${HEADER}..${SIGNATURE}`,
  "a length that no bytes have": `${HEADER}.${PAYLOAD}.abcde`,
  "padding": `${HEADER}=.${PAYLOAD}.${SIGNATURE}`,
  "standard base64": `${HEADER}.${PAYLOAD}.${"+/".repeat(43)}`,
  "white space": `${HEADER}.${PAYLOAD}.${SIGNATURE}\n`,
  "a signature with unused bits set": `${HEADER}.${PAYLOAD}.${SIGNATURE.slice(0, -1)}B`,
  "a header that is no JSON": withHeader("{"),
  "a header that is a list": withHeader('["HS512"]'),
  "a header that is null": withHeader("null"),
  "no alg": withHeader("{}"),
  "an alg that is a number": withHeader('{"alg":512}'),
  "a kid that is a number": withHeader('{"alg":"HS512","kid":1}'),
  "a kid that is an object": withHeader('{"alg":"HS512","kid":{}}'),
  "a typ that is a list": withHeader('{"alg":"HS512","typ":[]}'),
  "crit": withHeader('{"alg":"HS512","crit":["exp"]}'),
  "an empty crit": withHeader('{"alg":"HS512","crit":[]}'),
  "b64": withHeader('{"alg":"HS512","b64":false}'),
  "jwk": withHeader('{"alg":"HS512","jwk":{"kty":"oct","k":"AA"}}'),
  "jku": withHeader('{"alg":"HS512","jku":"https://example.com"}'),
  "x5u": withHeader('{"alg":"HS512","x5u":"https://example.com"}'),
  "x5c": withHeader('{"alg":"HS512","x5c":[]}'),
  "zip": withHeader('{"alg":"HS512","zip":"DEF"}'),
  "enc": withHeader('{"alg":"HS512","enc":"A256GCM"}'),
  "cty, a nested token": withHeader('{"alg":"HS512","cty":"JWT"}'),
  "alg twice": withHeader('{"alg":"none","alg":"HS512"}'),
  "alg twice, once escaped": withHeader('{"alg":"none","\\u0061lg":"HS512"}'),
  "a claim twice": withPayload('{"sub":"a","sub":"b"}'),
  "a claim twice, deep inside": withPayload('{"a":[{"b":1,"b":2}]}'),
  "invalid UTF-8": withPayload(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])),
  "an overlong UTF-8 form": withPayload(
    new Uint8Array([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]),
  ),
  "a byte order mark": withPayload("\ufeff{}"),
  "a lone surrogate": withPayload('{"sub":"\\ud800"}'),
  "a number that a double cannot hold exactly": withPayload('{"uid":12345678901234567890}'),
  "a number that a double cannot hold at all": withPayload('{"uid":[1e400]}'),
  "NUL in a string": withPayload('{"sub":"admin\\u0000"}'),
  "a payload that is a string": withPayload('"sub"'),
};
for (const [what, token] of Object.entries(malformed)) {
  Deno.test(`${what} is malformed`, () => {
    assert.throws(() => parseJws(token), (error) => isRekeyError(error, "malformed"));
  });
}

Deno.test("a payload is not read before the header is in order", () => {
  assert.throws(() => parseJws(`${b64("[]")}.${b64("[]")}.${SIGNATURE}`), /its header is not/);
});

Deno.test("names that only look alike are not the same member", () => {
  parseJws(
    withPayload(
      '{"sub":"a","Sub":"b","x":{"sub":"c"},"y":[{"z":1},{"z":2}],"n":[-0,1.5,2e3,9007199254740991],"s":"{\\"s\\":1}"}',
    ),
  );
});

Deno.test("a token over the limit is not even taken apart", () => {
  const token = "a".repeat(MAX_TOKEN_LENGTH + 1);
  assert.throws(() => parseJws(token), (error) => isRekeyError(error, "too_large"));
});

Deno.test("whatever is parsed, only our refusals come out, and none quotes the token", () => {
  const part = fc.oneof(
    fc.base64String(),
    fc.string({ unit: fc.constantFrom(..."abcXYZ019-_") }),
    fc.json().map(b64),
    fc.uint8Array().map(b64),
    fc.constantFrom(HEADER, PAYLOAD, SIGNATURE),
  );
  const token = fc.oneof(
    fc.string(),
    fc.array(part, { maxLength: 5 }).map((parts) => parts.join(".")),
  );
  fc.assert(
    fc.property(token, (text) => {
      try {
        parseJws(text);
      } catch (error) {
        assert.ok(isRekeyError(error, "malformed"));
        assert.ok(text.length < 40 || !error.message.includes(text));
      }
    }),
    { numRuns: 5_000 },
  );
});
