import assert from "node:assert/strict";
import { decodeProtectedHeader } from "jose";
import { ForeignKeys, jwkOf, signedBy } from "../support/commands/foreign_keys.ts";
import { importing } from "../support/commands/importing.ts";

Deno.test("a token proves the key, and tells its algorithm and kid", async () => {
  using keys = new ForeignKeys();
  const rsa = await keys.make("RS256");
  const ed = await keys.make("Ed25519");
  for (
    const [pem, alg, kid, ...args] of [
      [rsa, "RS256", undefined],
      [rsa, "PS384", "app-1"],
      [rsa, "RS512", "app-1", "--kid", "app-1"],
      [rsa, "RS256", undefined, "--kid", "app-1"],
      [ed, "EdDSA", "e"],
      [ed, "Ed25519", undefined],
      [ed, "EdDSA", undefined, "--alg", "EdDSA"],
    ] as [string, string, string | undefined, ...string[]][]
  ) {
    const old = signedBy(pem, alg, kid === undefined ? {} : { kid });
    const { box, code, said, verdict } = await importing(pem, "--check-token", old, ...args);
    using _ = box;
    assert.equal(code, 0, JSON.stringify(said));
    assert.deepEqual([said.alg, said.token_verified], [alg, true]);
    assert.equal(await verdict(old), true);
    const stated = args[0] === "--kid" ? args[1] : kid;
    assert.equal(decodeProtectedHeader(await box.token()).kid, stated ?? said.kid);
  }
});

Deno.test("a token's kid that new tokens cannot have gives way to --kid, and the token verifies", async () => {
  using keys = new ForeignKeys();
  const pem = await keys.make("ES256");
  for (const kid of ["k".repeat(300), "a\tb"]) {
    const old = signedBy(pem, "ES256", { kid });
    const refused = await importing(pem, "--check-token", old);
    using _refused = refused.box;
    assert.equal(refused.code, 2);
    assert.match(refused.said.hint, /Name another one with --kid/);
    for (const content of [pem, JSON.stringify({ ...jwkOf(pem), kid })]) {
      const named = await importing(content, "--check-token", old, "--kid", "short");
      using _ = named.box;
      assert.equal(named.code, 0, JSON.stringify(named.said));
      assert.match(named.stderr, /the token's kid cannot be kept; new tokens have the kid short/);
      assert.equal(await named.verdict(old), true);
      assert.equal(decodeProtectedHeader(await named.box.token()).kid, "short");
    }
  }
  const empty = await importing(
    pem,
    "--check-token",
    signedBy(pem, "ES256", { kid: "" }),
    "--kid",
    "a",
  );
  using _ = empty.box;
  assert.equal(empty.said.source_kid, "a", JSON.stringify(empty.said));
});

Deno.test("a token that the key did not sign, or not so, stores nothing", async () => {
  using keys = new ForeignKeys();
  const pem = await keys.make("ES256");
  const jwk = JSON.stringify({ ...jwkOf(pem), kid: "a" });
  const other = await keys.make("ES256", "other.pem");
  const own = signedBy(pem, "ES256", { kid: "b" });
  for (
    const [content, live, exit, code, ...args] of [
      [pem, signedBy(other, "ES256"), 3, "bad_signature"],
      [pem, own.slice(0, -86).padEnd(own.length, "A"), 3, "bad_signature"],
      [pem, signedBy(await keys.make("RS256"), "RS256"), 3, "alg_not_allowed"],
      [pem, signedBy(pem, "ES256", {}, { exp: 1 }), 3, "expired"],
      [pem, own, 2, "usage", "--kid", "c"],
      [jwk, own, 2, "usage"],
      [pem, own, 2, "usage", "--alg", "RS256"],
    ] as [string, string, number, string, ...string[]][]
  ) {
    const { box, code: exited, said } = await importing(content, "--check-token", live, ...args);
    using _ = box;
    assert.deepEqual([exited, said.code], [exit, code], JSON.stringify(said));
    assert.notEqual(said.hint ?? "", "");
    assert.ok(!box.files().has(box.database), "nothing is stored");
  }
});
