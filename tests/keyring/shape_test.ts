import assert from "node:assert/strict";
import { KeyringBox } from "../support/keyring/keyring_box.ts";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import type { Box } from "../support/process/box.ts";

const HEX = /^[0-9a-f]{64}$/;
const SHAPE = ["--alg", "HS256", "--bytes", "32", "--as", "hex", "--key-form", "raw"];

Deno.test("a keyring holds a secret of another shape, through rotations and moves", async () => {
  await using box = await KeyringBox.start();
  assert.equal((await box.run(["init", ...SHAPE])).code, 0);
  assert.match((await box.lookup())!, HEX);
  const old = await box.token();
  await box.run(["rotate", "--force", "--grace", "1h"]);
  const value = await box.lookup();
  assert.match(value!, HEX);
  const tokens = [old, await box.token()];
  for (const place of ["database", "keyring"]) {
    await box.json("store", "move", place);
    for (const token of tokens) assert.equal((await box.json("verify", token)).valid, true);
  }
  assert.equal(await box.lookup(), value);
});

Deno.test("machines share a secret of another shape, and the next one in two phases", async () => {
  await using etcd = await Etcd.start(1);
  using fleet = await Fleet.start(etcd, 2, "shape");
  const [one, other] = fleet.machines as [Box, Box];
  const value = async (box: Box) =>
    (await box.run(["exec", "--", "printenv", "JWT_SECRET"])).stdout.trim();
  await must(one, "rotate", "--force", ...SHAPE);
  assert.match(await value(other), HEX);
  const token = await one.token();
  assert.equal((await other.json("verify", token)).valid, true);
  await must(other, "rotate", "--force");
  assert.match(await value(one), HEX);
  await must(one, "rotate", "--prepare", "--bytes", "48", "--as", "base64url");
  await must(other, "rotate", "--activate");
  for (const box of [one, other]) assert.match(await value(box), /^[\w-]{64}$/);
  assert.equal((await other.json("verify", await one.token())).valid, true);
});
