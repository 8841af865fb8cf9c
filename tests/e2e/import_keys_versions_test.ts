import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createPrivateKey } from "node:crypto";
import { ForeignKeys, jwkOf, signedBy } from "../support/commands/foreign_keys.ts";
import { Box } from "../support/process/box.ts";

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
