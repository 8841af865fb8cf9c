import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, verify } from "node:crypto";
import { Buffer } from "node:buffer";
import { calculateJwkThumbprint, decodeProtectedHeader, importSPKI, jwtVerify } from "jose";
import { asVariables, ForeignKeys, jwkOf, signedBy } from "../support/commands/foreign_keys.ts";
import { importing } from "../support/commands/importing.ts";
import { Box } from "../support/process/box.ts";
import { sample } from "../support/process/sample.ts";

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
      const { code, stdout, stderr } = await box.run([...args, ...more]);
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

Deno.test("import --then-rotate: a key that has ended is refused, one that still verifies is left as it is", async () => {
  using keys = new ForeignKeys();
  await keys.make("ES256");
  using box = new Box();
  const args = ["import", "--file", keys.path("ES256.pem"), "--then-rotate", "--grace", "1h"];
  assert.equal((await box.run(args)).code, 0);
  const again = await box.run(args);
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stderr, /nothing is rotated: version 1 .* its tokens verify until 2\d{3}-/);
  await box.run(["revoke"]);
  const ended = await box.run([...args, "--iss", "https://changed.example"]);
  assert.equal(ended.code, 1, ended.stderr);
  assert.equal(ended.stdout, "");
  assert.match(
    ended.stderr,
    /version 1, which has ended, and its tokens stay refused\nhint: .*2$/m,
  );
  assert.equal((await box.json("status")).version, 2);
  assert.doesNotMatch((await box.run(["policy", "show"])).stdout, /changed/);
  assert.equal((await box.json(...args.slice(0, 3))).imported, false, "without --then-rotate");
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

Deno.test("the imported key moves softly to another one, and its tokens stay valid for a while", async () => {
  using keys = new ForeignKeys();
  const pem = await keys.make("RS256");
  const old = signedBy(pem, "RS256", { kid: "app-1" });
  using box = new Box();
  const args = ["import", "--file", keys.path("RS256.pem"), "--kid", "app-1"];
  const soft = await box.run([...args, "--then-rotate", "--grace", "24h", "--json"]);
  assert.equal(soft.code, 0, soft.stderr);
  assert.equal((await box.json("status")).version, 2);
  assert.equal((await box.json("verify", old)).version, 1);
  assert.equal((await box.json("status")).alg, "RS256");
  const again = await box.run([...args, "--json"]);
  assert.equal(JSON.parse(again.stdout).imported, false);
  await box.run(["rotate", "--force", "--alg", "ES256", "--grace", "1h"]);
  assert.equal((await box.json("verify", old)).version, 1);
  await box.run(["revoke"]);
  assert.equal((await box.json("verify", old)).valid, false);
  const body = createPrivateKey(pem).export({ type: "pkcs8", format: "der" }) as Buffer;
  for (const [path, bytes] of box.files()) {
    assert.ok(!Buffer.from(bytes).includes(body.subarray(60, 120)), path);
    assert.ok(!new TextDecoder("latin1").decode(bytes).includes(pem.slice(100, 160)), path);
  }
});

Deno.test("a kid that another version has is refused, whatever that version is", async () => {
  using keys = new ForeignKeys();
  await keys.make("ES256");
  const jwk = { ...jwkOf(await keys.make("ES384")), kid: "mine" };
  using box = new Box();
  const { kid } = await box.json("init");
  const args = ["import", "--file", keys.path("ES256.pem")];
  const taken = await box.run([...args, "--kid", kid]);
  assert.equal(taken.code, 2);
  assert.match(taken.stderr, /version 1 has it/);
  assert.match(taken.stderr, /hint: .*--kid/);
  assert.equal((await box.json("status")).kid, kid, "the unused secret stays");
  assert.equal((await box.json(...args, "--kid", "mine")).version, 2);
  const other = await box.run(["import", "--kid", "mine"], { stdin: JSON.stringify(jwk) });
  assert.equal(other.code, 1);
  assert.match(other.stderr, /there is one already/);
  const again = await box.run([...args, "--kid", "another"]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /it is there for ES256, kid mine/);
  assert.equal((await box.json(...args)).imported, false, "without --kid it is the same");
});
