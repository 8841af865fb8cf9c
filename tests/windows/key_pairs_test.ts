import assert from "node:assert/strict";
import { onWindows } from "../support/windows/tests.ts";

onWindows(
  "a key pair of a curve is in Credential Manager, and one that it cannot hold in the database",
  async (box) => {
    const made = await box.run(["init", "--alg", "ES512", "--json"]);
    assert.equal(made.code, 0, made.stderr);
    assert.equal(JSON.parse(made.stdout).location, "keyring");
    const token = await box.token();
    assert.equal((await box.json("verify", token)).valid, true);

    const refused = await box.run(["rotate", "--force", "--alg", "RS256", "--store", "keyring"]);
    assert.equal(refused.code, 2, refused.stderr);
    assert.match(refused.stderr, /keyring holds 1280[\s\S]*--store database/);
    assert.equal((await box.json("status")).version, 1);

    const rsa = await box.run(["rotate", "--force", "--alg", "RS256", "--grace", "1h"]);
    assert.equal(rsa.code, 0, rsa.stderr);
    assert.match(
      rsa.stderr,
      /holds 1280 characters: version 2 \(RS256\) needs more, and is in the database/,
    );
    assert.equal((await box.json("status")).location, "database");
    for (const one of [token, await box.token()]) {
      assert.equal((await box.json("verify", one)).valid, true);
    }
    assert.equal((await box.run(["store", "move", "keyring"])).code, 2);

    assert.equal((await box.run(["rotate", "--force", "--alg", "HS512"])).code, 0);
    assert.equal((await box.json("status")).location, "keyring");
  },
  ["keyring"],
);
