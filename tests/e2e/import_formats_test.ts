import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { Box } from "../support/process/box.ts";
import { type Header, now, signWith } from "../support/attacks/foreign_tokens.ts";

const token = (key: string | Uint8Array, alg = "HS256", claims: object = {}, header: Header = {}) =>
  signWith(key, { alg, typ: "JWT", ...header }, { sub: "old", exp: now() + 600, ...claims });

const secret = () => randomBytes(48).toString("base64");

/** Imports a file's content into a new box, and answers how that ended. */
async function importing(content: string | Uint8Array, ...args: string[]) {
  const box = new Box();
  const file = `${box.home}/given`;
  Deno.writeFileSync(
    file,
    typeof content === "string" ? new TextEncoder().encode(content) : content,
  );
  const ended = await box.run(["import", "--file", file, ...args, "--json"]);
  Deno.removeSync(file);
  const said = ended.code === 0 ? JSON.parse(ended.stdout) : JSON.parse(ended.stderr).error;
  const verdict = async (text: string) => (await box.json("verify", text)).valid as boolean;
  return { box, code: ended.code, said, stderr: ended.stderr, verdict };
}

async function mustSign(content: string, key: string | Uint8Array, ...args: string[]) {
  const { box, code, said, verdict } = await importing(content, "--alg", "HS256", ...args);
  using _ = box;
  assert.equal(code, 0, `${JSON.stringify(content)}: ${JSON.stringify(said)}`);
  assert.equal(await verdict(token(key)), true, content);
}

async function mustRefuse(content: string | Uint8Array, why: RegExp, ...args: string[]) {
  const { box, code, said } = await importing(content, ...args);
  using _ = box;
  assert.equal(code, 2, JSON.stringify(said));
  assert.match(said.message, why, JSON.stringify(content));
  assert.equal((await box.run(["status"])).code, 4, "nothing is stored");
}

Deno.test("a variable of a .env file is read as programs do", async () => {
  const key = secret();
  const name = ["--name", "JWT_SECRET"];
  await mustSign(`JWT_SECRET=${key}\nPORT=80\n`, key, ...name);
  await mustSign(`# c\nexport JWT_SECRET="${key}" # old\n`, key, ...name);
  await mustSign(`A=1\r\nJWT_SECRET = '${key}'\r\n`, key, ...name);
  await mustSign(`\uFEFFJWT_SECRET=${key}\n`, key, ...name);
  await mustSign(`JWT_SECRET_OLD=x\nJWT_SECRET=${key}`, key, ...name);
  await mustSign(`JWT_SECRET='${key} #$x\\n'`, `${key} #$x\\n`, ...name);
  for (const strange of ["constructor", "__proto__", "toString"]) {
    await mustRefuse(
      `JWT_SECRET=${key}\nA=b\n`,
      /sets no variable of that name/,
      "--name",
      strange,
    );
  }
  await mustSign(`jwt.secret=${key}\na.b=c\n`, key, "--name", "jwt.secret");
  await mustSign(`JWT_SECRET=${key}\nJWT_SECRET=${key}\n`, key, ...name);
  const bytes = randomBytes(40);
  await mustSign(`K=${bytes.toString("hex")}\nA=b`, bytes, "--name", "K", "--encoding", "hex");
});

Deno.test("where programs read a line in different ways it is refused, or a token decides", async () => {
  const key = secret();
  const name = ["--name", "JWT_SECRET"];
  for (
    const [line, keys] of [
      [`JWT_SECRET=${key}#tail`, [key, `${key}#tail`]],
      [`JWT_SECRET="${key}\\"x"`, [`${key}\\"x`, `${key}"x`]],
      [`JWT_SECRET="${key}\\nx"`, [`${key}\nx`, `${key}\\nx`]],
      [`JWT_SECRET="${key}$HOME"`, [`${key}$HOME`]],
    ] as const
  ) {
    await mustRefuse(line, /in different ways/, ...name);
    for (const one of keys) await mustSign(line, one, ...name, "--check-token", token(one));
  }
  // As `docker run --env-file` has it: the quotes belong to the value.
  await mustSign(`JWT_SECRET="${key}"`, `"${key}"`, ...name, "--check-token", token(`"${key}"`));
  await mustRefuse(`JWT_SECRET=${key}\nJWT_SECRET=other\n`, /sets it twice/, ...name);
  await mustRefuse(`A=${key}\nB=c\n`, /no variable of that name/, ...name);
  await mustRefuse("JWT_SECRET=\nB=c\n", /to nothing/, ...name);
  await mustRefuse("JWT_SECRET=${OTHER}\nB=c\n", /a placeholder/, ...name);
  await mustRefuse("just a value", /neither JSON nor lines/, ...name);
});

Deno.test("a key of JSON is read, by its name or a path, in settings with comments too", async () => {
  const key = secret();
  const json = JSON.stringify({
    Jwt: { Key: key, "a.b": key, list: [{ k: key }] },
    JWT_SECRET: key,
  });
  for (const name of ["JWT_SECRET", "Jwt:Key", "Jwt.Key", "Jwt__Key", "Jwt.list.0.k"]) {
    await mustSign(json, key, "--name", name);
  }
  const settings =
    `\uFEFF{ // "Jwt": {"Key": "wrong"}\r\n "Jwt": { "Key": "${key}", /* c */ },\r\n}`;
  await mustSign(settings, key, "--name", "Jwt:Key");
  await mustSign(JSON.stringify({ "a.b": key }), key, "--name", "a.b");
  await mustSign(JSON.stringify({ K: `//${key}` }), `//${key}`, "--name", "K");
  await mustRefuse(json, /no such key/, "--name", "Jwt:Secret");
  await mustRefuse(json, /no text/, "--name", "Jwt");
  await mustRefuse(JSON.stringify({ K: 123456 }), /no text/, "--name", "K");
  const twice = `{"Jwt":{"Key":"${secret()}","Key":"${key}"}}`;
  await mustRefuse(twice, /has that key twice/, "--name", "Jwt:Key");
  await mustSign(twice, key, "--name", "Jwt:Key", "--check-token", token(key));
  await mustSign(`{"Key":"${key}","a":1,"a":2,"b":{"Key":"x"}}`, key, "--name", "Key");
  await mustRefuse(JSON.stringify({ K: "" }), /empty/, "--name", "K");
  await mustRefuse(JSON.stringify({ K: "${JWT}" }), /placeholder/, "--name", "K");
  await mustRefuse(json, /it is JSON/);
});

Deno.test("a JWK's k is the key, its alg the algorithm", async () => {
  const bytes = randomBytes(64);
  const jwk = { kty: "oct", k: bytes.toString("base64url"), alg: "HS384", kid: "2024" };
  const rsa = { kty: "RSA", n: "AQAB", e: "AQAB", kid: "other" };
  for (
    const [content, ...args] of [
      [JSON.stringify(jwk)],
      [JSON.stringify({ keys: [rsa, jwk] })],
      [JSON.stringify({ keys: [jwk, { ...jwk, kid: "2025", k: "AAAA" }] }), "--name", "2024"],
      [JSON.stringify({ a: { jwk } }), "--name", "a.jwk"],
    ] as [string, ...string[]][]
  ) {
    const { box, code, said, verdict } = await importing(content, ...args);
    using _ = box;
    assert.equal(code, 0, JSON.stringify(said));
    assert.deepEqual(
      [said.alg, said.key_form, said.encoding, said.source_kid],
      ["HS384", "raw", "base64url", "2024"],
    );
    assert.equal(await verdict(token(bytes, "HS384", {}, { kid: "2024" })), true);
    assert.equal(await verdict(token(bytes, "HS256", {}, { kid: "2024" })), false);
  }
  await mustRefuse(JSON.stringify(rsa), /a JWK of another kind/);
  await mustRefuse(JSON.stringify({ kty: "EC", crv: "P-256" }), /a JWK of another kind/);
  await mustRefuse(JSON.stringify({ keys: [rsa] }), /of other kinds/);
  await mustRefuse(JSON.stringify({ keys: [jwk, { ...jwk, kid: "b" }] }), /several keys/);
  await mustRefuse(JSON.stringify({ ...jwk, alg: "A256GCM" }), /for another algorithm/);
  await mustRefuse(JSON.stringify({ ...jwk, use: "enc" }), /of another kind/);
  await mustRefuse(JSON.stringify({ kty: "oct" }), /has no k/);
  await mustRefuse(JSON.stringify(jwk), /is for HS384/, "--alg", "HS256");
  await mustRefuse(JSON.stringify(jwk), /is base64url/, "--encoding", "text");
  await mustRefuse(JSON.stringify({ keys: [jwk] }), /no JWK of the set/, "--name", "2023");
});

Deno.test("what is plainly no secret is refused by name, from a file, a variable and stdin", async () => {
  await mustRefuse(`"${secret()}"`, /a value in quotes/);
  await mustRefuse("JWT_SECRET=abc\nA=b\n", /NAME=VALUE/);
  await mustRefuse(token("x"), /a token/);
  await mustRefuse("-----BEGIN CERTIFICATE-----\nMIIB\n", /a certificate/);
  await mustRefuse(new Uint8Array([0xff, 0xfe, 0x61, 0]), /UTF-16/);
  using box = new Box();
  const env = { JWT_SECRET: `'${secret()}'` };
  const variable = await box.run(["import", "--from-env", "JWT_SECRET"], { env });
  assert.deepEqual([variable.code, /in quotes/.test(variable.stderr)], [2, true]);
  const piped = await box.run(["import"], { stdin: '{"a":"b"}' });
  assert.deepEqual([piped.code, /it is JSON/.test(piped.stderr)], [2, true]);
  const path = `${box.home}/jwt`;
  Deno.writeTextFileSync(path, secret());
  const named = await box.run(["import", "--from-env", "P"], { env: { P: path } });
  assert.deepEqual([named.code, /the path of a file/.test(named.stderr)], [2, true]);
  assert.equal((await box.run(["status"])).code, 4);
});

Deno.test("--literal imports what looks like something else", async () => {
  for (const text of [`"${secret()}"`, `JWT_SECRET=${secret()}`, `{"a":"${secret()}"}`]) {
    await mustSign(text, text, "--literal");
  }
});

Deno.test("a token proves the value, and tells algorithm and encoding", async () => {
  for (const alg of ["HS256", "HS384", "HS512"]) {
    // With characters in which the two alphabets differ.
    const bytes = Buffer.concat([Buffer.of(0xfb, 0xff, 0xfe), randomBytes(61)]);
    for (const encoding of ["text", "base64", "base64url", "hex"] as const) {
      const text = bytes.toString(encoding === "text" ? "base64" : encoding);
      const key = encoding === "text" ? text : bytes;
      const { box, code, said } = await importing(text, "--check-token", token(key, alg));
      using _ = box;
      assert.equal(code, 0, JSON.stringify(said));
      assert.deepEqual([said.alg, said.encoding, said.token_verified], [alg, encoding, true]);
      assert.equal(said.key_form, encoding === "text" ? "text" : "raw");
      const human = await box.run(["status"]);
      assert.match(human.stdout, new RegExp(`${alg}, key form`));
    }
  }
});

Deno.test("a token that does not verify stores nothing, and says why", async () => {
  const key = secret();
  for (
    const [given, code, ...args] of [
      [token(`${key}x`), "bad_signature"],
      [token(key, "HS256", { exp: now() - 10 }), "expired"],
      [token(key, "HS256", { exp: undefined }), "claim_mismatch"],
      [token(key, "HS256", { nbf: now() + 300 }), "not_yet_valid"],
      [token(key, "HS256"), "claim_mismatch", "--iss", "X"],
      [token(key, "HS256"), "alg_not_allowed", "--alg", "HS384"],
      [token(key, "RS256"), "alg_not_allowed"],
      [token(key, "none"), "alg_not_allowed"],
      [token(key), "bad_signature", "--encoding", "base64"],
      ["nonsense", "malformed"],
    ] as [string, string, ...string[]][]
  ) {
    const { box, code: exit, said } = await importing(key, "--check-token", given, ...args);
    using _ = box;
    assert.deepEqual([exit, said.code], [3, code], JSON.stringify(said));
    assert.equal((await box.run(["status"])).code, 4, "nothing is stored");
  }
  for (
    const [given, ...args] of [
      [token(key, "HS256", { exp: undefined }), "--allow-no-exp"],
      [token(key, "HS256", { nbf: now() + 300 }), "--leeway", "10m"],
      [token(key, "HS256", { sub: 42 }, { kid: "own" })],
    ] as [string, ...string[]][]
  ) {
    const { box, said, verdict } = await importing(key, "--check-token", given, ...args);
    using _ = box;
    assert.equal(said.token_verified, true, JSON.stringify(said));
    assert.equal(await verdict(given), true);
  }
});

Deno.test("a token comes as an argument, from a file or from stdin", async () => {
  using box = new Box();
  const key = secret();
  const live = token(key);
  Deno.writeTextFileSync(`${box.home}/token`, `${live}\n`);
  const args = ["import", "--from-env", "K", "--check-token"];
  const env = { K: key };
  for (const [given, stdin] of [[live, ""], ["@token", ""], ["-", `${live}\n`]] as const) {
    const { code, stderr } = await box.run([...args, given], { env, stdin });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /the token verifies with it/);
  }
  assert.equal((await box.run([...args, "@nowhere"], { env })).code, 2);
  const twice = await box.run(["import", "--check-token", "-"], { stdin: key });
  assert.equal(twice.code, 2);
});

Deno.test("a token finds a line end, a byte order mark or quotes that belong to the key", async () => {
  const key = secret();
  for (
    const [content, used] of [
      [`${key}\n`, `${key}\n`],
      [`${key}\r\n`, `${key}\r\n`],
      [`\uFEFF${key}`, key],
      [`\uFEFF${key}`, `\uFEFF${key}`],
      [` ${key} `, key],
      [`"${key}"`, key],
      [`"${key}"`, `"${key}"`],
    ] as const
  ) await mustSign(content, used, "--check-token", token(used));
  const bom = await importing(`\uFEFF${key}`, "--alg", "HS256");
  using _ = bom.box;
  assert.match(bom.stderr, /begins with a byte order mark/);
  assert.equal(await bom.verdict(token(`\uFEFF${key}`)), true);
  const space = await importing(`${key} `, "--alg", "HS256");
  using __ = space.box;
  assert.match(space.stderr, /white space, which is kept/);
});

Deno.test("what cannot be seen within a value is kept, and said", async () => {
  const [first, second] = [secret(), secret()];
  for (const between of ["\n", "\r\n", "\t", "\u200b", "\u00ad", "\u2028", "\x1b[0m", "\uFEFF"]) {
    const key = `${first}${between}${second}`;
    const { box, code, stderr, verdict } = await importing(key, "--alg", "HS256");
    using _ = box;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /a line end or another character in it that is not seen, which is kept/);
    assert.equal(await verdict(token(key)), true);
  }
  const { box, stderr } = await importing(`${first} ${second}`, "--alg", "HS256");
  using _ = box;
  assert.equal(stderr, "");
});

Deno.test("bytes that are no text are a key when that is said, or a token proves it", async () => {
  const key = new Uint8Array([0xff, 0, ...randomBytes(62), 10]);
  await mustRefuse(key, /it is no text/);
  for (const args of [["--encoding", "bytes"], ["--check-token", token(key, "HS512")]]) {
    const { box, code, said, verdict } = await importing(key, ...args);
    using _ = box;
    assert.equal(code, 0, JSON.stringify(said));
    assert.deepEqual([said.encoding, said.key_form], ["bytes", "raw"]);
    assert.equal(await verdict(token(key, "HS512")), true);
  }
});

Deno.test("a token tells that a decoder has forgiven what is no base64", async () => {
  const text =
    "a-secret_of.an application, which its library takes for base64 and decodes: 0123456789";
  const kept = "a+secret/ofanapplicationwhichitslibrarytakesforbase64anddecodes0123456789";
  const bytes = Buffer.from(kept.slice(0, -1), "base64");
  assert.equal(kept.length % 4, 1, "the last character has no bits of its own");
  const { box, code, said, verdict } = await importing(text, "--check-token", token(bytes));
  using _ = box;
  assert.equal(code, 0, JSON.stringify(said));
  assert.deepEqual([said.encoding, said.key_form], ["base64", "raw"]);
  assert.equal(await verdict(token(bytes)), true);
});

Deno.test("on success algorithm and key form are said", async () => {
  using box = new Box();
  const { stdout } = await box.run(["import", "--alg", "HS256"], { stdin: secret() });
  assert.match(stdout, /HS256, key form text \(used as text\)$/m);
  using other = new Box();
  const stdin = randomBytes(64).toString("hex");
  const hex = await other.run(["import", "--encoding", "hex"], { stdin });
  assert.match(hex.stdout, /HS512, key form raw \(decoded from hex\)$/m);
});

Deno.test("an init that nothing was done with gives way to an import, and ends", async () => {
  using box = new Box();
  const first = await box.json("init");
  await box.run(["status"]);
  await box.run(["doctor"]);
  const key = secret();
  const old = token(key);
  assert.equal((await box.json("verify", old)).valid, false, "a try before the import is no use");
  const { code, stderr } = await box.run(["import", "--alg", "HS256"], { stdin: key });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /version 1, which nothing was done with, has ended/);
  const status = await box.json("status");
  assert.deepEqual([status.version, status.alg, status.grace], [2, "HS256", []]);
  assert.equal((await box.json("verify", old)).version, 2);
  const exp = now() + 600;
  const retired = signWith("x", { alg: "HS256", kid: first.kid }, { exp });
  assert.equal((await box.json("verify", retired)).code, "retired_kid");
  const again = await box.run(["import", "--alg", "HS256"], { stdin: key });
  assert.match(again.stdout, /imported before as version 2/);
  assert.equal((await box.run(["audit", "verify"])).code, 0);
});

Deno.test("an import is refused over a secret that was used, whatever the use was", async () => {
  const uses: ((box: Box) => Promise<unknown>)[] = [
    (box) => box.token(),
    (box) => box.run(["exec", "--", "true"]),
    (box) => box.run(["rotate", "--force"]),
    (box) => box.run(["import"], { stdin: secret() + secret() }),
  ];
  for (const use of uses) {
    using box = new Box();
    await box.run(["init"]);
    await use(box);
    const { kid } = await box.json("status");
    const { code, stderr } = await box.run(["import", "--alg", "HS256"], { stdin: secret() });
    assert.equal(code, 1, stderr);
    assert.match(stderr, /there is one already/);
    assert.equal((await box.json("status")).kid, kid);
  }
});
