import assert from "node:assert/strict";
import { ForeignKeys, jwkOf, signedBy } from "../support/commands/foreign_keys.ts";
import { importing, mustRefuseKey, token } from "../support/commands/importing.ts";

// Texts of keys that an application may use as an HMAC secret, though everyone can have some of them.

Deno.test("a token does not prove a public key: everyone who has the key can make it", async () => {
  using keys = new ForeignKeys();
  const pem = await keys.make("ES256", "key.pem");
  const openssl = (...args: string[]) => keys.run("openssl", ...args);
  await openssl("pkey", "-in", "key.pem", "-pubout", "-out", "public.pem");
  await openssl("pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "public.der");
  await openssl("req", "-key", "key.pem", "-subj", "/CN=a", "-new", "-x509", "-out", "cert.pem");
  await keys.run("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", "ssh");
  const { d: _, ...jwk } = jwkOf(pem);
  const seen = keys.read("public.pem");
  const utf16 = (text: string) =>
    new Uint8Array(Uint16Array.from(text, (one) => one.charCodeAt(0)).buffer);
  for (
    const [content, why, ...args] of [
      [seen, /a public key/],
      [seen, /a public key/, "--encoding", "bytes"],
      [btoa(seen), /a public key/],
      [utf16(seen), /a public key/],
      [utf16(`\uFEFF${seen}`), /a public key/],
      [Deno.readFileSync(keys.path("public.der")), /a public key/],
      [keys.read("cert.pem"), /a certificate/],
      [keys.read("ssh.pub"), /an SSH public key/],
      [JSON.stringify(jwk), /a public JWK/],
      [`'${JSON.stringify(jwk)}'`, /a public JWK/],
      [JSON.stringify({ keys: [jwk, jwk] }), /public keys/],
    ] as [string | Uint8Array, RegExp, ...string[]][]
  ) {
    await mustRefuseKey([
      content,
      why,
      /import the private/,
      "--check-token",
      token(content),
      ...args,
    ]);
    await mustRefuseKey([content, why, /import the private/, ...args]);
  }
  const used = await importing(seen, "--literal", "--check-token", token(seen));
  using _box = used.box;
  assert.deepEqual([used.code, used.said.alg], [0, "HS256"], JSON.stringify(used.said));
  assert.match(used.stderr, /the secret is a public key: everyone who has that can make tokens/);
  const env = `PUBLIC=${JSON.stringify(seen)}\n`;
  const named = ["--name", "PUBLIC", "--check-token", token(seen)];
  await mustRefuseKey([env, /a public key/, /--literal/, ...named]);
});

Deno.test("--literal takes a public key in every form, and warns of what everyone can make", async () => {
  using keys = new ForeignKeys();
  await keys.make("ES256", "key.pem");
  const openssl = (...args: string[]) => keys.run("openssl", ...args);
  await openssl("pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "public.der");
  await openssl("req", "-key", "key.pem", "-subj", "/CN=a", "-new", "-x509", "-out", "cert.pem");
  const der = Deno.readFileSync(keys.path("public.der"));
  // SubjectPublicKeyInfo ends with the point (RFC 5480 §2).
  const point = der.slice(-65);
  for (
    const [content, what, ...args] of [
      [der.toHex(), "a public key", "--encoding", "hex"],
      [der, "a public key", "--encoding", "bytes"],
      [btoa(keys.read("cert.pem")), "a certificate"],
      [point.toHex(), "the point of a public key"],
      [point.toBase64(), "the point of a public key", "--encoding", "base64"],
    ] as [string | Uint8Array, string, ...string[]][]
  ) {
    await mustRefuseKey([content, new RegExp(`it is ${what}$`), /--literal/, ...args]);
    const { box, code, stderr } = await importing(content, "--literal", ...args);
    using _ = box;
    assert.equal(code, 0, stderr);
    assert.ok(stderr.includes(`the secret is ${what}: everyone who has that can make`), stderr);
  }
  const secret = await importing(
    "f3a9".repeat(8) + "0c5de817b264",
    "--literal",
    "--alg",
    "HS256",
    "--allow-weak",
  );
  using _ = secret.box;
  assert.doesNotMatch(secret.stderr, /everyone/);
});

Deno.test("a PEM text that an application uses as an HMAC secret is imported literally", async () => {
  using keys = new ForeignKeys();
  const pem = await keys.make("RS256");
  const old = token(pem, "HS256");
  const refused = await importing(pem, "--check-token", old);
  using first = refused.box;
  assert.equal(refused.said.code, "alg_not_allowed");
  assert.match(refused.said.hint, /--literal/);
  assert.ok(!first.files().has(first.database));
  const { box, code, said, verdict } = await importing(pem, "--literal", "--check-token", old);
  using _ = box;
  assert.equal(code, 0, JSON.stringify(said));
  assert.deepEqual([said.alg, said.key_form], ["HS256", "text"]);
  assert.equal(await verdict(old), true);
  assert.equal(await verdict(signedBy(pem, "RS256")), false);
});
