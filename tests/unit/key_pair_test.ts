import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { calculateJwkThumbprint, decodeProtectedHeader, importJWK, jwtVerify } from "jose";
import { AuthManager } from "../../src/auth/manager.ts";
import { PAIR_ALGORITHMS, PAIR_SCHEMES } from "../../src/core/algorithms.ts";
import { usualAlgorithm } from "../../src/core/key_pair.ts";
import { encodeText } from "../../src/core/encoding.ts";
import { Secret } from "../../src/core/secret.ts";
import { isSignedWith, signCompact } from "../../src/jwt/signatures.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { FakeKeyring } from "../support/keyring/fake_keyring.ts";
import { testEnvironment } from "../support/store/environment.ts";

const CLAIMS = { sub: "alice" };

for (const alg of PAIR_ALGORITHMS) {
  Deno.test(`${alg}: jose accepts the token with the public half; kid is the thumbprint`, async () => {
    const secret = await Secret.generatePair(alg, 2048);
    const { publicJwk } = secret.pair!;
    const use = { alg, key_form: "pkcs8" } as const;
    const token = signCompact(secret, use, { kid: secret.kid }, CLAIMS);
    const key = await importJWK({ ...publicJwk }, alg);
    const { payload, protectedHeader } = await jwtVerify(token, key, { algorithms: [alg] });
    assert.deepEqual([payload, protectedHeader], [CLAIMS, { alg, kid: secret.kid }]);
    assert.equal(secret.kid, await calculateJwkThumbprint({ ...publicJwk }));
    assert.ok(!("d" in publicJwk));
    const signed = token.slice(0, token.lastIndexOf("."));
    const signature = token.slice(signed.length + 1);
    assert.ok(isSignedWith(secret, use, signed, signature));
    assert.ok(!isSignedWith(secret, use, `${signed}x`, signature));
    const bytes = Buffer.from(signature, "base64url");
    // The runtime relies on its caller for this.
    assert.ok(secret.pair!.hasSignatureForm(bytes));
    assert.ok(!secret.pair!.hasSignatureForm(bytes.subarray(1)));
    assert.ok(!secret.pair!.hasSignatureForm(Buffer.concat([bytes, bytes.subarray(0, 1)])));
    assert.ok(!secret.pair!.hasSignatureForm(Buffer.of()));
  });
}

const numberOf = (bytes: Uint8Array) => BigInt(`0x${bytes.toHex()}`);

/** An RSA key that has signatures to which its modulus can be added in as many bytes. */
async function roomyKey(): Promise<Secret> {
  for (;;) {
    const secret = await Secret.generatePair("PS256", 2048);
    if (Buffer.from(secret.pair!.publicJwk.n!, "base64url")[0]! < 0xc0) return secret;
  }
}

Deno.test("RS256 and PS256: a signature to which the modulus was added is no signature", async () => {
  const secret = await roomyKey();
  const modulus = numberOf(Buffer.from(secret.pair!.publicJwk.n!, "base64url"));
  for (const alg of ["RS256", "PS256"] as const) {
    const use = { alg, key_form: "pkcs8" } as const;
    for (let tried = 0, found = 0; found < 3; tried++) {
      const token = signCompact(secret, use, {}, { tried });
      const [text, signature] = [token.slice(0, token.lastIndexOf(".")), token.split(".")[2]!];
      const hex = (numberOf(Buffer.from(signature, "base64url")) + modulus).toString(16);
      assert.ok(isSignedWith(secret, use, text, signature));
      if (hex.length > 512) continue;
      const added = Buffer.from(hex, "hex").toString("base64url");
      assert.equal(isSignedWith(secret, use, text, added), false);
      found++;
    }
  }
});

Deno.test("a stored key pair is read back as the same, prints its kid only, and is no HMAC key", async () => {
  const secret = await Secret.generatePair("ES256", 2048);
  const read = Secret.parse(secret.reveal());
  assert.ok(read.equals(secret));
  assert.equal(read.kid, secret.kid);
  assert.equal(`${read}`, `[secret kid=${secret.kid}]`);
  assert.ok(!Deno.inspect(read, { depth: 9 }).includes(secret.reveal().slice(40, 60)));
  for (const form of ["text", "raw", "hex", "pkcs8"] as const) {
    assert.throws(() => read.hmacKey(form), /no HMAC key/);
    const use = { alg: "HS256", key_form: form } as const;
    assert.equal(isSignedWith(read, use, "a.b", "c"), false);
  }
});

Deno.test("a key is used for algorithms of its own kind only", async () => {
  for (const alg of PAIR_ALGORITHMS) {
    const secret = await Secret.generatePair(alg, 2048);
    const fit = PAIR_ALGORITHMS.filter((one) => secret.pair!.suits(one));
    const same = PAIR_ALGORITHMS.filter((one) => PAIR_SCHEMES[one].kind === PAIR_SCHEMES[alg].kind);
    assert.deepEqual(fit, same);
    assert.ok(fit.includes(usualAlgorithm(secret.pair!)));
    const other = PAIR_ALGORITHMS.find((one) => !fit.includes(one))!;
    assert.throws(() => signCompact(secret, { alg: other, key_form: "pkcs8" }, {}, CLAIMS));
  }
});

Deno.test("a token of an ended version is told so, also when no version has its algorithm any more", async () => {
  using environment = testEnvironment(() => new FakeKeyring().addon());
  const secrets = new SecretManager(environment);
  await secrets.getOrCreate();
  const auth = new AuthManager(secrets);
  const issued = () => auth.issue({ subject: "alice", lifetime: 60 });
  const code = (token: string) =>
    secrets.verify(token).then(() => "valid", (error) => error.code as string);
  const hmac = await issued();
  await secrets.rotate({ alg: "ES256" });
  const pair = await issued();
  assert.deepEqual([await code(hmac.token), await code(pair.token)], ["retired_kid", "valid"]);
  await secrets.rotate({ alg: "RS256" });
  assert.deepEqual([await code(hmac.token), await code(pair.token)], [
    "retired_kid",
    "retired_kid",
  ]);
  // Its kid is that of an ended version, and its algorithm another one.
  const [, payload, signature] = pair.token.split(".");
  const header = encodeText(
    JSON.stringify({ alg: "none", kid: decodeProtectedHeader(hmac.token).kid }),
  );
  assert.equal(await code(`${header}.${payload}.${signature}`), "alg_not_allowed");
  secrets.close();
});
