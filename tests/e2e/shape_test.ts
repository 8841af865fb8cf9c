import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { jwtVerify } from "jose";
import { Box } from "../support/process/box.ts";

const HEX = ["--alg", "HS256", "--bytes", "32", "--as", "hex"];

async function valueOf(box: Box): Promise<string> {
  const { stdout } = await box.run(["exec", "--", "printenv", "JWT_SECRET"]);
  return stdout.trim();
}

async function verified(box: Box, key: Uint8Array): Promise<void> {
  const token = await box.token();
  assert.equal((await jwtVerify(token, key)).payload.sub, "alice");
  assert.equal((await box.json("verify", token)).valid, true);
}

Deno.test("a secret has the length and encoding that init was given, and rotations keep them", async () => {
  using box = new Box();
  const made = await box.run(["init", "--store", "database", ...HEX, "--key-form", "raw"]);
  assert.equal(made.code, 0, made.stderr);
  const first = await valueOf(box);
  assert.match(first, /^[0-9a-f]{64}$/);
  await verified(box, Buffer.from(first, "hex"));
  const before = await box.token();
  await box.run(["rotate", "--force", "--grace", "1h"]);
  const second = await valueOf(box);
  assert.match(second, /^[0-9a-f]{64}$/);
  assert.notEqual(second, first);
  await verified(box, Buffer.from(second, "hex"));
  assert.equal((await box.json("verify", before)).valid, true, "the one before keeps its own form");
  await box.run(["rotate", "--force", "--key-form", "text"]);
  const third = await valueOf(box);
  assert.match(third, /^[0-9a-f]{64}$/);
  await verified(box, Buffer.from(third));
  await box.run(["rotate", "--force", "--bytes", "48", "--as", "base64url", "--key-form", "raw"]);
  const fourth = await valueOf(box);
  assert.match(fourth, /^[\w-]{64}$/);
  await verified(box, Buffer.from(fourth, "base64url"));
  const again = await box.run(["init", "--bytes", "48", "--as", "base64url", "--key-form", "raw"]);
  assert.equal(again.code, 0, again.stderr);
});

Deno.test("a secret shorter than its hash is refused, with the RFC's name and nothing changed", async () => {
  using box = new Box();
  const refused = async (why: RegExp, code: number, ...args: string[]) => {
    const { stderr, ...ended } = await box.run(args);
    assert.deepEqual([ended.code, ended.stdout], [code, ""], stderr);
    assert.match(stderr, why);
  };
  const short =
    /Cannot make a secret of 32 bytes for HS512: it needs at least 64 \(RFC 7518 §3.2\)/;
  await refused(short, 2, "init", "--bytes", "32");
  await refused(/Write a whole number from 32 to 256/, 2, "init", "--bytes", "16");
  await refused(/Write a whole number from 32 to 256/, 2, "init", "--bytes", "257");
  assert.equal([...box.files().keys()].filter((path) => path.endsWith(".db")).length, 0);
  assert.equal((await box.run(["init", "--store", "database", ...HEX])).code, 0);
  await refused(short, 2, "rotate", "--force", "--alg", "HS512");
  await refused(/needs at least 48/, 2, "rotate", "--force", "--alg", "HS384");
  await refused(/it has 32 bytes, as hex/, 1, "init", "--bytes", "64");
  assert.equal((await box.json("status")).version, 1);
});

Deno.test("the shape is in a backup", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database", ...HEX, "--key-form", "raw"]);
  const value = await valueOf(box);
  const copy = join(box.home, "copy.db");
  assert.equal((await box.run(["backup", copy])).code, 0);
  Deno.removeSync(box.database);
  assert.equal((await box.run(["restore", copy, "--force"])).code, 0);
  assert.equal(await valueOf(box), value);
  await box.run(["rotate", "--force"]);
  assert.match(await valueOf(box), /^[0-9a-f]{64}$/);
});

Deno.test("status shows length and encoding of a value that rekey made, where they are not the usual ones", async () => {
  using box = new Box();
  const seen = async () => {
    const { bytes, encoding } = await box.json("status");
    return [bytes, encoding, /^value .*$/m.exec((await box.run(["status"])).stdout)?.[0]];
  };
  await box.run(["init", "--store", "database", ...HEX]);
  assert.deepEqual(await seen(), [32, "hex", "value            32 bytes, as hex"]);
  await box.run(["rotate", "--force", "--bytes", "64", "--as", "base64"]);
  assert.deepEqual(await seen(), [64, "base64", undefined]);
  const value = "k7Zq".repeat(12) + "-of-an-application";
  const imported = ["import", "--app", "legacy", "--alg", "HS256", "--allow-weak"];
  await box.run(imported, { stdin: value });
  const { bytes, encoding } = await box.json("status", "--app", "legacy");
  assert.deepEqual([bytes, encoding], [null, null]);
});
