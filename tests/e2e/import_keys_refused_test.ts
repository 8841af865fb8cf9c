import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createPublicKey } from "node:crypto";
import { ForeignKeys, jwkOf } from "../support/commands/foreign_keys.ts";
import { importing, type KeyRefusal, mustRefuseKey } from "../support/commands/importing.ts";
import { Box } from "../support/process/box.ts";

Deno.test("what is no private key, or one for something else, is refused by name", async () => {
  using keys = new ForeignKeys();
  const pem = await keys.make("ES256", "key.pem");
  const openssl = (...args: string[]) => keys.run("openssl", ...args);
  const request = ["req", "-key", "key.pem", "-subj", "/CN=a"];
  await openssl(...request, "-new", "-x509", "-out", "cert.pem");
  await openssl(...request, "-new", "-x509", "-outform", "DER", "-out", "cert.der");
  await openssl(...request, "-new", "-out", "request.pem");
  await openssl("pkey", "-in", "key.pem", "-pubout", "-out", "public.pem");
  await openssl("pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "public.der");
  const pkcs12 = ["-export", "-inkey", "key.pem", "-in", "cert.pem", "-passout", "pass:a"];
  await openssl("pkcs12", ...pkcs12, "-out", "key.p12");
  await keys.run("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "ssh");
  const named = async (name: string, curve: string) => {
    const option = `ec_paramgen_curve:${curve}`;
    return await keys.make("EC", name, "-pkeyopt", option);
  };
  await openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sec1.pem");
  await openssl("ec", "-in", "sec1.pem", "-param_enc", "explicit", "-out", "explicit.pem");
  const three = ["-pkeyopt", "rsa_keygen_primes:3"];
  const jwk = jwkOf(pem);
  const { d: _, ...seen } = jwk;
  const other = jwkOf(await keys.make("ES256", "other.pem"));
  const bytes = (name: string) => Deno.readFileSync(keys.path(name));
  const json = (value: unknown) => JSON.stringify(value);
  const ONLY = /import the private key/;
  const twins = { keys: [jwk, other].map((key) => ({ ...key, kid: "b" })) };
  const KEYS = /P-256, P-384, P-521, Ed25519 or RSA/;
  for (
    const refusal of [
      [keys.read("public.pem"), /a public key/, ONLY],
      [bytes("public.der"), /a public key/, ONLY],
      [bytes("public.der").toBase64(), /a public key/, ONLY],
      [keys.read("cert.pem"), /a certificate/, ONLY],
      [bytes("cert.der"), /a certificate/, ONLY],
      [keys.read("request.pem"), /a certificate request/, ONLY],
      [bytes("key.p12"), /a PKCS#12 file/, /openssl pkcs12/],
      [keys.read("ssh"), /an SSH private key/, /ssh-keygen -p -m PKCS8/],
      [keys.read("ssh.pub"), /an SSH public key/, ONLY],
      [`-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ==\n`, /a PGP private key/, /PKCS#8/],
      [await named("k1.pem", "secp256k1"), /for secp256k1/, KEYS],
      [await named("p224.pem", "P-224"), /for P-224/, KEYS],
      [await keys.make("X25519"), /for X25519/, KEYS],
      [await keys.make("Ed448"), /for Ed448/, KEYS],
      [keys.read("explicit.pem"), /curve is described/, /-param_enc named_curve/],
      [await keys.make("RS256", "three.pem", ...three), /more than two primes/, /rekey init/],
      [json(seen), /a public JWK/, /a member d/],
      [json({ keys: [seen, seen] }), /public keys/, /a member d/],
      [json({ JWT_SECRET: "x".repeat(64), idp: seen }), /keys are public/, /with --name/],
      [json({ ...jwk, crv: "secp256k1" }), /for secp256k1/, KEYS],
      [json({ ...jwk, kty: "OKP", crv: "X25519" }), /for X25519/, KEYS],
      [json({ ...jwk, x: other.x, y: other.y }), /another private key/, /whole file/],
      [json({ ...jwk, x: 5 }), /its member x/, /./],
      [json({ ...jwk, d: "AA" }), /no.* one of its curve/, /./],
      [json({ ...jwk, alg: "ECDH-ES" }), /for another algorithm/, /ES256/],
      [json({ ...jwk, alg: "RS256" }), /its JWK says RS256/, /remove the member alg/],
      [json({ ...jwk, alg: "ES256" }), /the JWK is for ES256/, /member alg/, "--alg", "ES384"],
      [json({ ...jwk, use: "enc" }), /of another kind/, /for signing/],
      [json({ ...jwk, key_ops: ["verify"] }), /of another kind/, /for signing/],
      [json(jwk).replace('"d":', '"d":"AQ","d":'), /twice/, /./],
      [json({ keys: [jwk, { ...other, kid: "b" }] }), /several keys$/, /--name/],
      [json({ keys: [jwk, other] }), /no kid tells apart/, /file of its own/],
      [json(twins), /no kid tells apart/, /file of its own/, "--name", "b"],
      [json(twins), /no kid tells apart/, /file of its own/, "--kid", "b"],
      [json(twins), /no JWK of the set has that kid/, /member kid/, "--name", "c"],
      [pem + pem, /2 private keys/, /alone/],
      [pem + keys.read("other.pem"), /2 private keys/, /alone/],
      [pem + keys.read("cert.pem"), /another block/, /alone/],
      [`${pem}trailing`, /something else/, /alone/],
      [`config:\n${pem}`, /a text with a private key/, /alone/],
      [pem.slice(0, 120), /ends early/, /all lines/],
      [pem.replace("MIGH", "MIGI"), /damaged/, /openssl pkey/],
      [pem.replace("MIGH", "M!GH"), /not base64/, /./],
      [bytes("key.p12").subarray(0, 40), /no text/, /./],
      [pem, /not for RS256/, /Leave out --alg: it signs with ES256/, "--alg", "RS256"],
      [pem, /not for HS256/, /--literal/, "--alg", "HS256"],
      [pem, /--encoding with a private key/, /--literal/, "--encoding", "base64"],
      [pem, /--encoding with a private key/, /--literal/, "--encoding", "bytes"],
      [pem, /control characters/, /--kid/, "--kid", "a\u0007b"],
      [pem, /control characters/, /--kid/, "--kid", "a\u2028b"],
      ["a".repeat(64), /no private key, which ES256 needs/, /PEM/, "--alg", "ES256"],
      ["a".repeat(64), /--kid with an HMAC secret/, /Leave it out/, "--kid", "a"],
      ["pkcs8:not-a-key-at-all-but-an-hmac-secret", /begins with pkcs8:/, /another secret/],
      ["pkcs8:TUlHSEFnRUE=", /begins with pkcs8:/, /another secret/, "--literal"],
    ] as KeyRefusal[]
  ) await mustRefuseKey(refusal);
});

Deno.test("an RSA key that is weak, or larger than others take, is refused with its reason", async () => {
  using keys = new ForeignKeys();
  const rsa = (option: string) => keys.make("RS256", "rsa.pem", "-pkeyopt", option);
  const INIT = /rekey init --alg RS256/;
  await mustRefuseKey(
    [await rsa("rsa_keygen_bits:1024"), /1024 bits; 2048 are the least/, INIT],
    1,
  );
  await mustRefuseKey([await rsa("rsa_keygen_pubexp:3"), /from 65537 on/, INIT], 1);
  const pem = await rsa("rsa_keygen_bits:2048");
  const jwk = jwkOf(pem);
  const weak = (e: number) => JSON.stringify({ ...jwk, e: Buffer.of(e).toString("base64url") });
  for (const e of [1, 2, 4]) await mustRefuseKey([weak(e), /from 65537 on/, INIT], 1);
  // A key of that size takes seconds to make; any number of it is refused before the others are looked at.
  const large = Buffer.alloc(4_104 / 8, 0xff).toString("base64url");
  await mustRefuseKey([JSON.stringify({ ...jwk, n: large }), /4104 bits, and 4096/, /ES256/]);
  for (const name of ["d", "p", "q", "dp", "dq", "qi", "n"]) {
    const parts = { ...jwk, [name]: Buffer.from(jwk[name]!, "base64url").reverse() };
    const changed = JSON.stringify({
      ...parts,
      [name]: Buffer.from(parts[name]!).toString("base64url"),
    });
    const { box, code, said } = await importing(changed);
    using _ = box;
    assert.ok(code === 1 || code === 2, name);
    assert.match(said.message, /do not fit together|weak/, name);
  }
});

Deno.test("an RSA key for PSS alone signs with its own algorithm, or is refused", async () => {
  using keys = new ForeignKeys();
  const make = (...options: string[]) =>
    keys.make("RSA-PSS", "pss.pem", ...options.flatMap((option) => ["-pkeyopt", option]));
  const hash = (name: string, salt: number) =>
    make(
      `rsa_pss_keygen_md:${name}`,
      `rsa_pss_keygen_mgf1_md:${name}`,
      `rsa_pss_keygen_saltlen:${salt}`,
    );
  for (
    const [pem, alg, ...args] of [
      [await make(), "PS256"],
      [await make(), "PS512", "--alg", "PS512"],
      [await hash("sha256", 32), "PS256"],
      [await hash("sha384", 20), "PS384"],
    ] as [string, string, ...string[]][]
  ) {
    const { box, code, said } = await importing(pem, ...args);
    using _ = box;
    assert.deepEqual([code, said.alg], [0, alg], JSON.stringify(said));
    assert.equal((await box.json("verify", await box.token())).valid, true);
  }
  await mustRefuseKey([
    await make(),
    /for PS256, PS384, PS512, not for RS256/,
    /--alg/,
    "--alg",
    "RS256",
  ]);
  await mustRefuseKey([await hash("sha256", 20), /not for PS384/, /--alg/, "--alg", "PS384"]);
  await mustRefuseKey([await hash("sha256", 64), /no algorithm of tokens has/, /PS256/]);
  await mustRefuseKey([await hash("sha1", 20), /no algorithm of tokens has/, /PS256/]);
});

Deno.test("an encrypted key says what is missing: the passphrase, the right one, another cipher", async () => {
  using keys = new ForeignKeys();
  await keys.make("ES256", "key.pem");
  for (
    const [name, text] of [["right", "sésame\n"], ["again", "sésame\n"], ["wrong", "simsim\n"], [
      "empty",
      "\n",
    ]]
  ) {
    Deno.writeTextFileSync(keys.path(name!), text!, { mode: 0o600 });
  }
  const topk8 = (name: string, ...how: string[]) => {
    const args = ["-topk8", "-in", "key.pem", "-out", name, "-passout", "file:right"];
    return keys.run("openssl", "pkcs8", ...args, ...how);
  };
  await topk8("new.pem", "-v2", "aes-256-cbc");
  await topk8("aes192.pem", "-v2", "aes-192-cbc");
  await topk8("pbes1.pem", "-v1", "PBE-SHA1-3DES");
  await topk8("costly.der", "-iter", "65536", "-v2", "aes-256-cbc", "-outform", "DER");
  const traditional = ["-traditional", "-aes128", "-passout", "file:right"];
  await keys.run("openssl", "pkey", "-in", "key.pem", "-out", "old.pem", ...traditional);
  const using = (name: string) => ["--passphrase-file", keys.path(name)];
  for (const name of ["new.pem", "old.pem"]) {
    const pem = keys.read(name);
    await mustRefuseKey([pem, /it is encrypted/, /--passphrase-file/]);
    await mustRefuseKey([pem, /does not open/, /--passphrase-file/, ...using("wrong")]);
    await mustRefuseKey([pem, /empty passphrase/, /./, ...using("empty")]);
    const { box, code, stderr } = await importing(pem, ...using("right"));
    using _ = box;
    assert.equal(code, 0);
    assert.doesNotMatch(stderr, /other users/);
  }
  for (const name of ["aes192.pem", "pbes1.pem"]) {
    await mustRefuseKey([
      keys.read(name),
      /not supported here/,
      /openssl pkcs8 -topk8/,
      ...using("right"),
    ]);
  }
  // OpenSSL would take seconds to use 8 million rounds: they are written into its file.
  const rounds = Buffer.from(Deno.readFileSync(keys.path("costly.der")));
  rounds.write("7fffff", rounds.indexOf(Buffer.from("0203010000", "hex")) + 2, "hex");
  await mustRefuseKey([rounds, /too much time/, /openssl pkcs8/, ...using("right")]);
  rounds.write("000000", rounds.indexOf(Buffer.from("02037fffff", "hex")) + 2, "hex");
  await mustRefuseKey([rounds, /damaged: .*iterations/, /whole file again/, ...using("right")]);
  // As the hint says.
  const args = ["-topk8", "-v2", "aes-256-cbc", "-in", "pbes1.pem", "-out", "again.pem"];
  await keys.run("openssl", "pkcs8", ...args, "-passin", "file:right", "-passout", "file:again");
  const { box, code } = await importing(keys.read("again.pem"), ...using("right"));
  using _ = box;
  assert.equal(code, 0);
  assert.ok(createPublicKey(keys.read("key.pem")).asymmetricKeyType === "ec");
});

Deno.test("what a hint says about SSH keys works", async () => {
  using keys = new ForeignKeys();
  await keys.run("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", "ssh");
  await keys.run("ssh-keygen", "-q", "-p", "-m", "PKCS8", "-N", "", "-f", "ssh");
  using box = new Box();
  const { code, stderr } = await box.run(["import", "--file", keys.path("ssh")]);
  assert.equal(code, 0, stderr);
});
