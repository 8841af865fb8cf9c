import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { now } from "../support/attacks/foreign_tokens.ts";
import { ForeignKeys, jwkOf } from "../support/commands/foreign_keys.ts";
import { Box } from "../support/process/box.ts";
import { type Key, PEERS, Workshop } from "./peers.ts";

/** What each library's script takes a PEM text for. */
const CASES: Record<string, readonly string[]> = {
  PyJWT: ["ES256", "ES512", "RS256", "PS256", "EdDSA"],
  jsonwebtoken: ["ES256", "ES384", "RS256", "PS512"],
};

for (const peer of PEERS.filter(({ name }) => name in CASES)) {
  Deno.test(`${peer.name}'s tokens stay valid when its private key is imported, and it accepts new ones`, async () => {
    using workshop = new Workshop();
    assert.ok(await workshop.has(peer), `not installed: ${peer.needs}`);
    using keys = new ForeignKeys();
    for (const alg of CASES[peer.name]!) {
      const pem = await keys.make(alg);
      const key: Key = { key: pem, form: "text" };
      const claims = { sub: "alice", exp: now() + 600 };
      const old = await workshop.sign(peer, alg, key, claims, { kid: "2023-key" });
      const plain = await workshop.sign(peer, alg, key, claims);
      using box = new Box();
      const jwk = JSON.stringify({ ...jwkOf(pem), kid: "2023-key" });
      const stdin = alg.startsWith("ES") ? jwk : pem;
      const imported = await box.run(["import", "--check-token", old, "--json"], { stdin });
      assert.equal(imported.code, 0, `${alg}: ${imported.stderr}`);
      assert.equal(JSON.parse(imported.stdout).alg, alg);
      for (const token of [old, plain]) {
        assert.equal((await box.json("verify", token)).valid, true, alg);
      }
      const spki = createPublicKey(pem).export({ type: "spki", format: "pem" }) as string;
      const fresh = await box.token("bob");
      const accepted = await workshop.verify(peer, alg, { key: spki, form: "text" }, fresh);
      assert.equal((accepted as { sub: string }).sub, "bob", alg);
      await box.run(["rotate", "--force", "--alg", "Ed25519", "--grace", "1h"]);
      assert.equal((await box.json("verify", old)).version, 1, alg);
    }
  });
}
