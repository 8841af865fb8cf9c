import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { Box } from "../support/process/box.ts";
import { now } from "../support/attacks/foreign_tokens.ts";
import { importing, mustRefuse, mustSign, secret, token } from "../support/commands/importing.ts";

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

Deno.test("with a token that does not verify nothing is stored, and the error says why", async () => {
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
    assert.ok(!box.files().has(box.database), "nothing is stored");
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

Deno.test("bytes that are not text are a key when a flag says so or a token proves it", async () => {
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
