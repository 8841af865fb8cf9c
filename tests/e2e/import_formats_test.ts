import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Box } from "../support/process/box.ts";
import { importing, mustRefuse, mustSign, secret, token } from "../support/commands/importing.ts";

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
  await mustRefuse(JSON.stringify(rsa), /a public JWK/);
  await mustRefuse(JSON.stringify({ kty: "other" }), /a JWK of another kind/);
  await mustRefuse(JSON.stringify({ keys: [rsa] }), /public keys/);
  await mustRefuse(JSON.stringify({ keys: [rsa, { kty: "other" }] }), /of other kinds/);
  await mustRefuse(JSON.stringify({ keys: [jwk, { ...jwk, kid: "b" }] }), /several keys/);
  await mustRefuse(JSON.stringify({ ...jwk, alg: "A256GCM" }), /for another algorithm/);
  await mustRefuse(JSON.stringify({ ...jwk, use: "enc" }), /of another kind/);
  await mustRefuse(JSON.stringify({ kty: "oct" }), /has no k/);
  await mustRefuse(JSON.stringify(jwk), /is for HS384/, "--alg", "HS256");
  await mustRefuse(JSON.stringify(jwk), /is base64url/, "--encoding", "text");
  await mustRefuse(JSON.stringify({ keys: [jwk] }), /no JWK of the set/, "--name", "2023");
});

Deno.test("what is plainly not a secret is refused by name, from a file, a variable and stdin", async () => {
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

Deno.test("a secret that begins like a path and is too long for one is imported, and in no message", async () => {
  for (const begin of ["/", "./", "~/"]) {
    const value = begin + Array.from({ length: 8 }, secret).join("").replaceAll("/", "_");
    assert.ok(value.length > 256);
    using box = new Box();
    const { code, stdout, stderr } = await box.run(["import", "--from-env", "P"], {
      env: { P: value },
    });
    assert.ok(![stdout, stderr].some((text) => text.includes(value.slice(2, 40))));
    assert.equal(code, 0, stderr);
  }
});

Deno.test("--literal imports what looks like something else", async () => {
  for (const text of [`"${secret()}"`, `JWT_SECRET=${secret()}`, `{"a":"${secret()}"}`]) {
    await mustSign(text, text, "--literal");
  }
});

Deno.test("invisible characters within a value are kept, and reported", async () => {
  const [first, second] = [secret(), secret()];
  for (const between of ["\n", "\r\n", "\t", "\u200b", "\u00ad", "\u2028", "\x1b[0m", "\uFEFF"]) {
    const key = `${first}${between}${second}`;
    const { box, code, stderr, verdict } = await importing(key, "--alg", "HS256");
    using _ = box;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /a line end or another invisible character, which is kept/);
    assert.equal(await verdict(token(key)), true);
  }
  const { box, stderr } = await importing(`${first} ${second}`, "--alg", "HS256");
  using _ = box;
  assert.equal(stderr, "");
});

Deno.test("of a file or stdin that is too long no part is read", async () => {
  using box = new Box();
  const line = `JWT_SECRET=${secret()}\n`;
  // The second assignment stands behind what would be read.
  const long = `${line}${"# and so on\n".repeat(2 ** 15)}JWT_SECRET=${secret()}\n`;
  const short = `${line}${"# and so on\n".repeat(2 ** 14)}`;
  const ways = async (text: string) => {
    Deno.writeTextFileSync(`${box.home}/settings`, text);
    const args = ["import", "--store", "database", "--name", "JWT_SECRET"];
    return [
      await box.run([...args, "--file", "settings"]),
      await box.run(args, { stdin: text }),
    ];
  };
  for (const { code, stderr } of await ways(long)) {
    assert.deepEqual([code, /it has more than 262144 bytes/.test(stderr)], [2, true], stderr);
  }
  for (const { code, stderr } of await ways(short)) assert.equal(code, 0, stderr);
});
