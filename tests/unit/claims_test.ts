import assert from "node:assert/strict";
import type { ClaimPolicy } from "../../src/jwt/policy.ts";
import fc from "fast-check";
import { acceptedSpan, claimFailures } from "../../src/jwt/claims.ts";

const NOW = 1_800_000_000;
const policy = (more: Partial<ClaimPolicy> = {}): ClaimPolicy => ({
  leeway: 0,
  allowNoExpiry: false,
  ...more,
});
const codes = (claims: Record<string, unknown>, more: Partial<ClaimPolicy> = {}) =>
  claimFailures({ claims }, policy(more), NOW).map(({ claim, code }) => `${claim} ${code}`);

Deno.test("a token expires at exp, not after it (RFC 7519 §4.1.4)", () => {
  assert.deepEqual(codes({ exp: NOW + 1 }), []);
  assert.deepEqual(codes({ exp: NOW }), ["exp expired"]);
  assert.deepEqual(codes({ exp: NOW }, { leeway: 1 }), []);
});

Deno.test("a token is valid from nbf on (RFC 7519 §4.1.5)", () => {
  assert.deepEqual(codes({ exp: NOW + 9, nbf: NOW }), []);
  assert.deepEqual(codes({ exp: NOW + 9, nbf: NOW + 1 }), ["nbf not_yet_valid"]);
  assert.deepEqual(codes({ exp: NOW + 9, nbf: NOW + 1 }, { leeway: 1 }), []);
});

Deno.test("a span of acceptance is that of the rules, at every time", () => {
  const around = fc.integer({ min: NOW - 3, max: NOW + 3 }).chain((whole) =>
    fc.constantFrom(whole, whole + 0.5)
  );
  const some = fc.record(
    { exp: around, nbf: around, iat: around, sub: fc.constant("a") },
    { requiredKeys: [] },
  );
  const [leeway, times] = [fc.constantFrom(0, 0.5, 2), fc.array(around, { minLength: 8 })];
  fc.assert(fc.property(some, leeway, times, (claims, leeway, times) => {
    const own = { leeway, allowNoExpiry: true };
    const isAccepted = (now: number) => claimFailures({ claims }, own, now).length === 0;
    const { from, until } = acceptedSpan(claims, own);
    if (!times.some(isAccepted)) return;
    for (const now of times) assert.equal(from <= now && now < until, isAccepted(now), `${now}`);
  }));
});

Deno.test("a token without exp is accepted only if the policy allows it", () => {
  assert.deepEqual(codes({}), ["exp claim_mismatch"]);
  assert.deepEqual(codes({}, { allowNoExpiry: true }), []);
});

Deno.test("iss, sub and aud must be what is expected", () => {
  const claims = { exp: NOW + 9, iss: "i", sub: "s", aud: ["x", "y"] };
  assert.deepEqual(codes(claims, { issuer: "i", subject: "s", audience: "y" }), []);
  assert.deepEqual(codes(claims, { issuer: "j", subject: "t", audience: "z" }), [
    "iss claim_mismatch",
    "sub claim_mismatch",
    "aud claim_mismatch",
  ]);
  assert.deepEqual(codes({ exp: NOW + 9 }, { audience: "z" }), ["aud claim_mismatch"]);
});

Deno.test("--max-age counts from iat, which must be there", () => {
  assert.deepEqual(codes({ exp: NOW + 9, iat: NOW - 60 }, { maxAge: 60 }), []);
  assert.deepEqual(codes({ exp: NOW + 9, iat: NOW - 61 }, { maxAge: 60 }), ["iat expired"]);
  assert.deepEqual(codes({ exp: NOW + 9 }, { maxAge: 60 }), ["iat claim_mismatch"]);
  assert.deepEqual(codes({ exp: NOW + 9, iat: NOW + 5 }, { maxAge: 60 }), ["iat not_yet_valid"]);
});

Deno.test("all faults are reported at once", () => {
  assert.deepEqual(codes({ exp: NOW - 9, nbf: NOW + 9, iss: "j" }, { issuer: "i" }), [
    "exp expired",
    "nbf not_yet_valid",
    "iss claim_mismatch",
  ]);
});

for (
  const [claim, value] of [
    ["exp", "1800000001"],
    ["exp", null],
    ["exp", Infinity],
    ["nbf", true],
    ["iat", []],
    ["iss", 1],
    ["sub", {}],
    ["jti", 7],
    ["aud", ["a", 1]],
  ] as const
) {
  Deno.test(`${claim} = ${String(JSON.stringify(value))} is malformed, whatever else it says`, () => {
    assert.deepEqual(codes({ exp: NOW - 9, [claim]: value }), [`${claim} malformed`]);
  });
}
