import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { Buffer } from "node:buffer";
import { calculateJwkThumbprint, decodeProtectedHeader, importSPKI, jwtVerify } from "jose";
import { asVariables, ForeignKeys, jwkOf, signedBy } from "../support/commands/foreign_keys.ts";
import { everyNthByBinary } from "../support/commands/in_process.ts";
import { importing } from "../support/commands/importing.ts";
import { Box } from "../support/process/box.ts";
import { sample } from "../support/process/sample.ts";

const run = everyNthByBinary(5);

const publicPem = (pem: string) =>
  createPublicKey(pem).export({ type: "spki", format: "pem" }) as string;

Deno.test("a private key of every kind keeps its tokens valid, and signs new ones", async () => {
  using keys = new ForeignKeys();
  for (
    const [alg, named] of sample([
      ["ES256"],
      ["ES384"],
      ["ES512"],
      ["Ed25519"],
      ["EdDSA", "EdDSA"],
      ["RS256"],
      ["RS512", "RS512"],
      ["PS256", "PS256"],
    ] as [string, string?][], 2)
  ) {
    const pem = await keys.make(alg);
    const old = signedBy(pem, alg);
    const args = named === undefined ? [] : ["--alg", named];
    const { box, code, said, verdict } = await importing(pem, ...args);
    using _ = box;
    assert.equal(code, 0, JSON.stringify(said));
    assert.deepEqual([said.alg, said.encoding, said.key_form], [alg, "pem", "pkcs8"]);
    const { kty, crv, x, y, n, e } = createPublicKey(pem).export({ format: "jwk" });
    assert.equal(said.kid, await calculateJwkThumbprint({ kty, crv, x, y, n, e } as never));
    assert.equal(await verdict(old), true, alg);
    const issued = await box.token();
    const { payload } = await jwtVerify(issued, await importSPKI(publicPem(pem), alg));
    assert.equal(payload.sub, "alice");
    assert.deepEqual(decodeProtectedHeader(issued), { alg, typ: "JWT", kid: said.kid });
    assert.equal(await verdict(signedBy(await keys.make(alg, "other.pem"), alg)), false);
  }
});

Deno.test("PKCS#8, SEC 1 and PKCS#1 are one key in PEM and DER, encrypted too", async () => {
  using keys = new ForeignKeys();
  await Deno.writeTextFile(keys.path("passphrase"), "correct horse\n", { mode: 0o600 });
  const pass = ["-passout", "file:passphrase"];
  const pkcs8 = (from: string, to: string, ...how: string[]) =>
    keys.run("openssl", "pkcs8", "-topk8", "-in", from, "-out", to, ...how);
  const to = (from: string, name: string, ...how: string[]) =>
    keys.run("openssl", "pkey", "-in", from, "-out", name, ...how);
  for (const alg of sample(["ES256", "ES512", "RS256", "Ed25519"], 2)) {
    const pem = await keys.make(alg, "key.pem");
    const files = ["key.pem", "key.der", "pbes2.pem", "pbes2.der", "old.pem", "scrypt.pem"];
    await to("key.pem", "key.der", "-outform", "DER");
    await pkcs8("key.pem", "pbes2.pem", "-v2", "aes-256-cbc", ...pass);
    await pkcs8("key.pem", "pbes2.der", "-v2", "aes-128-cbc", "-outform", "DER", ...pass);
    await pkcs8("key.pem", "old.pem", "-v2", "des3", "-v2prf", "hmacWithSHA1", ...pass);
    await pkcs8("key.pem", "scrypt.pem", "-scrypt", ...pass);
    if (alg !== "Ed25519") {
      files.push("traditional.pem", "traditional.der", "aes.pem", "des.pem");
      await to("key.pem", "traditional.pem", "-traditional");
      await to("key.pem", "traditional.der", "-traditional", "-outform", "DER");
      await to("key.pem", "aes.pem", "-traditional", "-aes256", ...pass);
      await to("key.pem", "des.pem", "-traditional", "-des3", ...pass);
      assert.match(keys.read("aes.pem"), /Proc-Type: 4,ENCRYPTED/);
    }
    if (alg.startsWith("ES")) {
      files.push("parameters.pem");
      const curve = createPublicKey(pem).asymmetricKeyDetails!.namedCurve!;
      await keys.run("openssl", "ecparam", "-name", curve, "-out", "curve.pem");
      Deno.writeTextFileSync(
        keys.path("parameters.pem"),
        keys.read("curve.pem") + keys.read("traditional.pem"),
      );
    }
    const kids = new Set<string>();
    for (const name of files) {
      using box = new Box();
      const args = ["import", "--file", keys.path(name), "--json"];
      const encrypted = /^(pbes2|old|scrypt|aes|des)\./.test(name);
      const more = encrypted ? ["--passphrase-file", keys.path("passphrase")] : [];
      const { code, stdout, stderr } = await run(box, [...args, ...more]);
      assert.equal(code, 0, `${alg} ${name}: ${stderr}`);
      kids.add(JSON.parse(stdout).kid);
    }
    assert.equal(kids.size, 1, alg);
  }
});

Deno.test("a variable holds a key in many ways, and so do .env files and JSON", async () => {
  using keys = new ForeignKeys();
  const pem = await keys.make("ES256");
  const old = signedBy(pem, "ES256");
  for (const [what, value] of sample([...asVariables(pem)], 2)) {
    using box = new Box();
    const { code, stderr } = await box.run(["import", "--from-env", "KEY"], {
      env: { KEY: value },
    });
    assert.equal(code, 0, `${what}: ${stderr}`);
    assert.equal((await box.json("verify", old)).valid, true, what);
  }
  const escaped = pem.replaceAll("\n", "\\n");
  const jwk = JSON.stringify(jwkOf(pem));
  for (
    const content of [
      `A=1\nKEY="${escaped}"\n`,
      `A=1\nKEY='${escaped}'\n`,
      `A=1\nKEY=${escaped}\n`,
      `A=1\nexport KEY="${pem}"\nB=2\n`,
      `KEY=${btoa(pem)}\nB=2\n`,
      `KEY='${jwk}'\nB=2\n`,
      `KEY='[${jwk}]'\nB=2\n`,
      JSON.stringify({ KEY: pem }),
      JSON.stringify({ KEY: JSON.parse(jwk) }),
    ]
  ) {
    const { box, code, said, verdict } = await importing(content, "--name", "KEY");
    using _ = box;
    assert.equal(code, 0, `${content.slice(0, 20)}: ${JSON.stringify(said)}`);
    assert.equal(await verdict(old), true);
  }
  // A realm that Keycloak has exported: base64 of PKCS#1, in a list, below a name with dots.
  await keys.run("openssl", "genrsa", "-traditional", "-out", "rsa.pem", "2048");
  const privateKey = [keys.read("rsa.pem").replace(/-----[^-]+-----|\s/g, "")];
  const realm = { components: { "org.keycloak.keys.KeyProvider": [{ config: { privateKey } }] } };
  const name = "components:org.keycloak.keys.KeyProvider:0:config:privateKey:0";
  const exported = await importing(JSON.stringify(realm), "--name", name);
  using __ = exported.box;
  assert.equal(exported.said.alg, "RS256", JSON.stringify(exported.said));
  // Supabase Auth's list: the key that signs, and the HMAC secret from before.
  const legacy = { kty: "oct", alg: "HS256", k: btoa("x".repeat(33)) };
  const list = [
    { ...JSON.parse(jwk), kid: "s", alg: "ES256", key_ops: ["sign", "verify"] },
    legacy,
  ];
  const variable = `GOTRUE_JWT_KEYS=${JSON.stringify(list)}\nB=2\n`;
  const listed = await importing(variable, "--name", "GOTRUE_JWT_KEYS", "--kid", "s");
  using ___ = listed.box;
  assert.equal(listed.said.source_kid, "s", JSON.stringify(listed.said));
  using box = new Box();
  const piped = await box.run(["import"], { stdin: `Bag Attributes\n  localKeyID: 01\n${pem}` });
  assert.equal(piped.code, 0, piped.stderr);
});

Deno.test("a JWK brings algorithm and kid: tokens that are out verify, new ones carry the kid", async () => {
  using keys = new ForeignKeys();
  const pem = await keys.make("RS256");
  const jwk = { ...jwkOf(pem), kid: "2023-key", alg: "RS384", use: "sig" };
  const other = { ...jwkOf(await keys.make("ES256")), kid: "b", key_ops: ["sign", "verify"] };
  const { d: _, ...seen } = other as Record<string, unknown>;
  for (
    const [content, ...args] of [
      [JSON.stringify(jwk)],
      [JSON.stringify({ keys: [seen, jwk] })],
      [JSON.stringify({ keys: [other, jwk] }), "--name", "2023-key"],
      [JSON.stringify({ keys: [other, jwk] }), "--kid", "2023-key"],
      [JSON.stringify([{ ...other, key_ops: ["verify"] }, jwk])],
    ] as [string, ...string[]][]
  ) {
    const { box, code, said, verdict } = await importing(content, ...args);
    using _ = box;
    assert.equal(code, 0, JSON.stringify(said));
    assert.deepEqual([said.alg, said.encoding, said.source_kid], ["RS384", "jwk", "2023-key"]);
    assert.equal(await verdict(signedBy(pem, "RS384", { kid: "2023-key" })), true);
    assert.equal(await verdict(signedBy(pem, "RS384")), true, "without a kid");
    assert.equal(await verdict(signedBy(pem, "RS256", { kid: "2023-key" })), false);
    const issued = await box.token();
    assert.equal(decodeProtectedHeader(issued).kid, "2023-key");
    assert.equal(await verdict(issued), true);
    await box.run(["rotate", "--force"]);
    const ended = await box.run(["verify", issued, "--json"]);
    assert.equal(JSON.parse(ended.stdout).code, "retired_kid");
  }
});

Deno.test("the primes of an RSA key are found when its JWK has only d", async () => {
  using keys = new ForeignKeys();
  const pem = await keys.make("RS256");
  const { kty, n, e, d } = jwkOf(pem);
  const { box, code, said } = await importing(JSON.stringify({ kty, n, e, d }));
  using _ = box;
  assert.equal(code, 0, JSON.stringify(said));
  const [head, body, signature] = (await box.token()).split(".");
  const signed = Buffer.from(`${head}.${body}`);
  const key = createPublicKey(pem);
  assert.equal(verify("sha256", signed, key, Buffer.from(signature!, "base64url")), true);
});
